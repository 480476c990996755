"""Clients of REST APIs in several languages, as archives of sources.

https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-generate-sdk.html
"""
