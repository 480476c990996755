"""Makes one rendition: `source` is the file as it came, `240p` and the like are made by ffmpeg."""

import os
import subprocess
from pathlib import Path

import boto3

s3 = boto3.client("s3")
os.environ["PATH"] += ":/opt/bin"  # where a layer with ffmpeg puts it


def handler(event, context):
    bucket, rendition = event["bucket"], event["rendition"]
    if rendition == "source":
        key = f"published/{event['video']}/source.{event['format']}"
        s3.copy_object(Bucket=bucket, Key=key, CopySource={"Bucket": bucket, "Key": event["key"]})
        return {"rendition": rendition, "key": key}
    source, made = f"/tmp/in.{event['format']}", f"/tmp/{rendition}.mp4"
    s3.download_file(bucket, event["key"], source)
    height = rendition.removesuffix("p")
    command = [
        "ffmpeg",
        "-y",
        "-loglevel",
        "error",
        "-i",
        source,
        "-vf",
        f"scale=-2:{height}",
        "-pix_fmt",
        "yuv420p",
        made,
    ]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode:
        raise RuntimeError(f"ffmpeg: {run.stderr[-500:]}")
    key = f"published/{event['video']}/{rendition}.mp4"
    s3.upload_file(made, bucket, key)
    return {"rendition": rendition, "key": key, "bytes": Path(made).stat().st_size}
