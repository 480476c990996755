"""Topics of Apache Kafka clusters of one's own as sources: one file per noun. `worker` is loaded with the first such mapping.

https://docs.aws.amazon.com/lambda/latest/dg/with-kafka.html
"""
