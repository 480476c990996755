"""Adds up what the map step found: the reduce step. Reads the files that the Map Run's manifest names."""

import json
from collections import Counter

import boto3

s3 = boto3.client("s3")


def read(bucket, key):
    return json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())


def handler(event, context):
    bucket = event["results"]["Bucket"]
    manifest = read(bucket, event["results"]["Key"])
    counts, texts = Counter(), 0
    for file in manifest["ResultFiles"]["SUCCEEDED"]:
        for execution in read(bucket, file["Key"]):
            found = json.loads(execution["Output"])
            counts.update(found["counts"])
            texts += found["texts"]
    s3.put_object(Bucket=event["bucket"], Key="words.json", Body=json.dumps(counts))
    return {"texts": texts, "words": sum(counts.values()), "different": len(counts), "top": counts.most_common(10)}
