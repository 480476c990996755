"""The data plane of HTTP APIs: from a request to the answer of an integration."""
