"""Distributed Maps: items are read, shared out over child executions, and their results gathered or written."""
