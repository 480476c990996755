"""Ingest: S3 tells of an upload, a workflow begins. One that is told of twice begins once, as its execution has the object's name."""

import json
import os
import re
from urllib.parse import unquote_plus

import boto3

states = boto3.client("stepfunctions")


def handler(event, context):
    for record in event["Records"]:
        bucket, found = record["s3"]["bucket"]["name"], record["s3"]["object"]
        key = unquote_plus(found["key"])
        video = re.sub(r"\W+", "-", key.removeprefix("incoming/").rpartition(".")[0])
        name = f"{video}-{found['eTag']}"[:80]
        text = json.dumps({"bucket": bucket, "key": key, "video": video})
        try:
            states.start_execution(stateMachineArn=os.environ["MACHINE"], name=name, input=text)
        except states.exceptions.ExecutionAlreadyExists:
            print(f"{key} is known")
