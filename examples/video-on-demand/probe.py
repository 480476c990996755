"""Looks at the beginning of a file: is it a video, and can it be transcoded here?"""

import os
import shutil

import boto3

s3 = boto3.client("s3")
os.environ["PATH"] += ":/opt/bin"  # where a layer with ffmpeg puts it


class NoVideo(Exception):
    """It is something else."""


def handler(event, context):
    head = s3.get_object(Bucket=event["bucket"], Key=event["key"], Range="bytes=0-63")["Body"].read()
    if head[4:8] == b"ftyp":
        format = "mp4"
    elif head.startswith(b"YUV4MPEG2"):
        format = "y4m"
    elif head.startswith(b"\x1aE\xdf\xa3"):
        format = "webm"
    else:
        raise NoVideo(f"{event['key']} begins with {head[:8]!r}")
    return {"format": format, "ffmpeg": shutil.which("ffmpeg") is not None}
