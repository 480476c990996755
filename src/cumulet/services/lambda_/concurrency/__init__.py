"""How many environments a function may have, and which are kept ready."""
