"""Sandboxes that run code. Knows Linux and runtimes, not AWS."""
