"""What the data planes of REST, HTTP and WebSocket APIs share: context, throttling, authorizers, functions, HTTP, logs."""
