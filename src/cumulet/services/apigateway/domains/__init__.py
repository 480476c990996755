"""Custom domain names, which REST, HTTP and WebSocket APIs share."""
