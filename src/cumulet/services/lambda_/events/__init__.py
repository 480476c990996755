"""Asynchronous invocations: events that wait, what takes them to their functions, and who is told of the end."""
