"""Client certificates and their keys."""
