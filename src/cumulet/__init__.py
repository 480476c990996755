"""Cumulet: a serverless cloud of your own, at one HTTP endpoint that AWS's own tools speak."""

__version__ = "0.1.0"
