"""In the layer, beside Pillow: what both functions do to get and to leave a picture."""

import io
import os
from urllib.parse import unquote_plus

import boto3
from PIL import Image

s3 = boto3.client("s3")


def each(event, change):
    """Puts what `change` makes of every picture that an S3 event is about into the bucket TARGET, under the same key."""
    for record in event["Records"]:
        bucket, key = record["s3"]["bucket"]["name"], unquote_plus(record["s3"]["object"]["key"])
        with Image.open(io.BytesIO(s3.get_object(Bucket=bucket, Key=key)["Body"].read())) as picture:
            changed = change(picture.convert("RGB"))
        out = io.BytesIO()
        changed.save(out, "PNG")
        s3.put_object(Bucket=os.environ["TARGET"], Key=key, Body=out.getvalue(), ContentType="image/png")
        print(f"{bucket}/{key} -> {os.environ['TARGET']}/{key}, {changed.width}x{changed.height}")
