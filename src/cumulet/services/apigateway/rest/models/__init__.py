"""Models, and what requests are checked by."""
