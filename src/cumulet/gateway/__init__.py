"""The front door: HTTP in, operations out."""
