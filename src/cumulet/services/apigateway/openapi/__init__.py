"""OpenAPI documents: Swagger 2.0 and OpenAPI 3.0 as API Gateway reads and writes them, with its own extensions.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions.html
"""
