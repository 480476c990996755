"""Executions: what makes them go on, and remembers how far they came."""
