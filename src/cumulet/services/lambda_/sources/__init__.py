"""Event source mappings: what reads from queues and streams, and gives what it read to functions.

`operations` is the API, `rules` what it refuses, `mapping` and `store` what is kept, `roster` who is at work. A source is one of
two ports (`port`): a queue, which `queue_poller` empties, or shards, which `shard_poller` follows with `checkpoints`.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventsourcemapping.html
"""
