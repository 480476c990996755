"""The cumulet command."""
