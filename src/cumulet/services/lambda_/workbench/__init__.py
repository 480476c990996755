"""For who works at a function: loaded before it is called, opened to a debugger."""
