"""OpenAPI 3 documents with API Gateway's extensions, from and to HTTP APIs."""
