"""The function: a thumbnail of every photograph that arrives in a bucket."""

import io
import os
from urllib.parse import unquote_plus

import boto3
from PIL import Image, UnidentifiedImageError

SIZE = (128, 128)
THUMBNAILS = os.environ["THUMBNAILS"]

s3 = boto3.client("s3")


class NotAnImage(Exception):
    """What was uploaded is no photograph."""


def handler(event, context):
    """Called with S3's ObjectCreated events."""
    return [
        thumbnail(record["s3"]["bucket"]["name"], unquote_plus(record["s3"]["object"]["key"]))
        for record in event["Records"]
    ]


def thumbnail(bucket, key):
    """Write a small copy of the photograph to the other bucket; gives its key."""
    photograph = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    try:
        with Image.open(io.BytesIO(photograph)) as image:
            small = image.convert("RGB")
            small.thumbnail(SIZE, Image.Resampling.LANCZOS)
            size = image.size
    except UnidentifiedImageError:
        raise NotAnImage(f"{bucket}/{key} ({len(photograph)} bytes) is not an image that Pillow can read") from None
    out = io.BytesIO()
    small.save(out, "JPEG", quality=85)
    name = f"{key.rpartition('.')[0]}-{small.width}x{small.height}.jpg"
    s3.put_object(Bucket=THUMBNAILS, Key=name, Body=out.getvalue(), ContentType="image/jpeg")
    print(f"{bucket}/{key} {size[0]}x{size[1]} -> {THUMBNAILS}/{name} {small.width}x{small.height}, {out.tell()} bytes")
    return name
