"""boto3's own S3 bodies, through the HTTP core, signature and framing: http, https, presigned, streamed."""

import asyncio
import io
import time
import urllib.request
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from tests.gateway.harness import Setup, run

from cumulet.gateway import authority, minting, tls
from cumulet.kernel.streams import read_all
from cumulet.wire import sigv4
from cumulet.wire.http import HttpRequest, HttpResponse

KEY = "a key/\u00fc+~*()=&"


async def verified(request: HttpRequest) -> HttpResponse:
    """Answers with how much body there was, once everything about it has been checked."""
    signed = sigv4.parse(request, "s3")
    assert signed is not None
    sigv4.verify(request, signed, "secret", time.time(), "s3")
    stream = sigv4.payload(request, signed, "secret")
    size = len(await read_all(stream))
    trailers = ",".join(getattr(stream, "trailers", {}))
    return HttpResponse(200, {"ETag": f'"{size}"', "x-amz-version-id": trailers or "none"})


def client(address: str, region: str, **more: Any) -> Any:
    config = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})
    keys = {"aws_access_key_id": "AKID", "aws_secret_access_key": "secret"}
    return boto3.client("s3", region_name=region, endpoint_url=address, config=config, **keys, **more)


def test_http() -> None:
    async def check(setup: Setup) -> None:
        listener = await setup.server.listen_tcp("127.0.0.1", 0, handler=verified)
        await asyncio.to_thread(talk, client(f"http://127.0.0.1:{listener.address[1]}", "eu-west-1"), "none")

    run(check)


def test_https_sends_trailing_checksums(tmp_path: Path) -> None:
    async def check(setup: Setup) -> None:
        minting.issue(tmp_path, "node.pem", ["127.0.0.1"], time.time())
        server_side = tls.context(tmp_path / "node.pem")
        listener = await setup.server.listen_tcp("127.0.0.1", 0, ssl=server_side, handler=verified)
        address = f"https://127.0.0.1:{listener.address[1]}"
        s3 = client(address, "eu-west-1", verify=str(tmp_path / authority.NODE_AUTHORITY))
        await asyncio.to_thread(talk, s3, "x-amz-checksum-crc32")

    run(check)


def talk(s3: Any, trailers: str) -> None:
    for size in (0, 1, 3_000_000):
        answer = s3.put_object(Bucket="b", Key=KEY, Body=bytes(size), Metadata={"a": "b  c"})
        assert (answer["ETag"], answer["VersionId"]) == (f'"{size}"', trailers)
    assert s3.put_object(Bucket="b", Key="k", Body=io.BytesIO(bytes(70_000)))["ETag"] == '"70000"'
    assert s3.get_object(Bucket="b", Key=KEY, VersionId="1", Range="bytes=0-3")["ETag"] == '"0"'
    s3.close()


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1"])  # boto3 presigns with version 2 in older regions
def test_presigned(region: str) -> None:
    async def check(setup: Setup) -> None:
        listener = await setup.server.listen_tcp("127.0.0.1", 0, handler=verified)
        s3 = client(f"http://127.0.0.1:{listener.address[1]}", region)

        def fetch() -> None:
            for method, operation in (("GET", "get_object"), ("PUT", "put_object")):
                address = s3.generate_presigned_url(operation, Params={"Bucket": "b", "Key": KEY})
                assert ("AWSAccessKeyId=" in address) == (region == "us-east-1")
                data = b"hello" if method == "PUT" else None
                # urllib would name a content type of its own, which version 2 signs
                request = urllib.request.Request(address, data, {"Content-Type": ""}, method=method)
                with urllib.request.urlopen(request) as answer:
                    assert answer.headers["ETag"] == ('"5"' if data else '"0"')

        await asyncio.to_thread(fetch)

    run(check)
