"""Languages that definitions of several services are written in: JSONPath, and the Velocity templates of API Gateway.

Each is compiled once to closures; what a text means is cached by the text.
"""
