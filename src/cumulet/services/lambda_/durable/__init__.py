"""Durable functions: executions of many invocations, whose steps are kept and never run again once they succeeded.

A function checkpoints what it does; when it waits it ends, and when what it waits for has come it is invoked again with
the state of all its operations, which it replays.
https://docs.aws.amazon.com/lambda/latest/dg/durable-functions.html
"""
