"""Clusters of Apache Kafka, spoken to by processes of their own: `process` is the node's end, `child` the other one.

What a cluster answers decides how much memory and time its client takes: lengths, compressed batches, headers, lists of servers.
So each client has a process with an end to its memory, and the node gets records whose size it knows. Only there the library is loaded.
"""
