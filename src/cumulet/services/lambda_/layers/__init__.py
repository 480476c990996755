"""Layers: packages that functions share, in numbered versions."""
