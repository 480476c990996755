"""Code: where it comes from, what is refused, where it lies, and who signed it."""
