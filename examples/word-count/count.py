"""Counts the words of a batch of texts: the map step. Gives one object of counts for the whole batch."""

import re
from collections import Counter

import boto3

s3 = boto3.client("s3")


def handler(event, context):
    counts = Counter()
    for item in event["Items"]:
        text = s3.get_object(Bucket=event["BatchInput"]["bucket"], Key=item["Key"])["Body"].read().decode()
        counts.update(re.findall(r"\w+", text.lower()))
    return {"texts": len(event["Items"]), "counts": counts}
