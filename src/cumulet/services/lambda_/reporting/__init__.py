"""What is told of invocations: log lines and streams, reports, counts."""
