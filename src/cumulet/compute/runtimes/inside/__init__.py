"""The Python runtime as functions see it. Runs inside environments on any Python from 3.8; the standard library only."""
