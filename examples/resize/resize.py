"""Answers GET /images/{size}/{name} with the picture in that size, and keeps what it made for the next time."""

import base64
import io
import os
import re
from urllib.parse import unquote

import boto3
from botocore.exceptions import ClientError
from PIL import Image, UnidentifiedImageError

ORIGINALS, RESIZED = os.environ["ORIGINALS"], os.environ["RESIZED"]
SIZE = re.compile(r"([1-9]\d{0,3})x([1-9]\d{0,3})")
MOST = 2000
"""Pixels a side: else a stranger could fill the memory and the bucket."""
LONGEST = 4_000_000
"""Bytes of an answer; in base64, as functions answer what is binary, they are within Lambda's 6 MB."""

s3 = boto3.client("s3")


class Refused(Exception):
    """The answer's status and text."""


def handler(event, context):
    """Called by API Gateway, which gives functions the parts of a path as they came, with %20 for a space."""
    asked = event["pathParameters"]
    try:
        width, height = read_size(asked["size"])
        data, made = picture(unquote(asked["name"]), width, height)
    except Refused as refused:
        status, why = refused.args
        return {"statusCode": status, "headers": {"Content-Type": "text/plain"}, "body": f"{why}\n"}
    headers = {"Content-Type": "image/jpeg", "Cache-Control": "max-age=86400", "X-Picture": "made" if made else "kept"}
    body = base64.b64encode(data).decode()
    return {"statusCode": 200, "headers": headers, "body": body, "isBase64Encoded": True}


def read_size(text):
    found = SIZE.fullmatch(text)
    size = (int(found[1]), int(found[2])) if found else (0, 0)
    if not found or max(size) > MOST:
        raise Refused(400, f"A size is like 320x200, each side at most {MOST}.")
    return size


def picture(name, width, height):
    """A JPEG, and whether it had to be made. What was made of a picture that has changed since is not used."""
    try:
        version = s3.head_object(Bucket=ORIGINALS, Key=name)["ETag"].strip('"')
    except ClientError as error:
        if error.response["Error"]["Code"] != "404":  # to be told so, a role needs s3:ListBucket
            raise
        raise Refused(404, f"There is no picture {name}.") from None
    kept = {"Bucket": RESIZED, "Key": f"{width}x{height}/{version}/{name}"}
    try:
        return s3.get_object(**kept)["Body"].read(), False
    except s3.exceptions.NoSuchKey:
        original = s3.get_object(Bucket=ORIGINALS, Key=name)["Body"].read()
    data = resized(original, width, height)
    s3.put_object(**kept, Body=data, ContentType="image/jpeg")
    return data, True


def resized(original, width, height):
    """The whole picture within this size, as large as it can be, and not larger than it was."""
    try:
        with Image.open(io.BytesIO(original)) as image:
            small = image.convert("RGB")
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError):
        raise Refused(422, "What is stored under this name is no picture.") from None
    small.thumbnail((width, height), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    small.save(out, "JPEG", quality=85)
    if out.tell() > LONGEST:
        raise Refused(422, "In this size the picture has too many bytes for an answer.")
    return out.getvalue()
