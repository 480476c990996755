"""TestState: one state, tried by itself.

https://docs.aws.amazon.com/step-functions/latest/dg/test-state-isolation.html
"""
