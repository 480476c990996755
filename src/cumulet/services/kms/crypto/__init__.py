"""What needs the `cryptography` package, which is loaded when the first key is used and not before."""
