"""Changes of items, sent to data streams of Kinesis."""
