"""Files in S3, as copies of tables read and write them: in the name of whoever asked."""

from __future__ import annotations

import asyncio
import contextlib
from base64 import b64encode
from collections.abc import AsyncGenerator, AsyncIterator
from hashlib import md5

from msgspec import Struct

from cumulet.api import s3
from cumulet.kernel.errors import AwsError
from cumulet.kernel.streams import BytesStream
from cumulet.services.dynamodb.backups.importing import Lines
from cumulet.services.dynamodb.backups.transfers import Caller
from cumulet.services.dynamodb.errors import invalid
from cumulet.services.dynamodb.state import DynamoDb

_TRIES = 5
_STEP = 16_384
"""Bytes of a file between two turns of others."""
_FULL = 4 * 1024 * 1024
"""Bytes of lines that are enough for a turn, however few they are."""


def root_below(prefix: str | None) -> str:
    """The folder of what DynamoDB writes, below a prefix that customers give."""
    given = (prefix or "").strip("/")
    return f"{given}/AWSDynamoDB" if given else "AWSDynamoDB"


class Found(Struct):
    """A file to read, and its bytes."""

    key: str
    size: int


class Source:
    """The files of a bucket under a prefix. Everything raises AwsError as S3 does."""

    def __init__(self, dynamodb: DynamoDb, caller: Caller, bucket: str, prefix: str | None, owner: str | None) -> None:
        self._dynamodb = dynamodb
        self._caller = caller
        self._bucket = bucket
        self._prefix = prefix
        self._owner = owner

    async def files(self, after: str = "") -> AsyncIterator[Found]:
        """Files that have something in them, in the order of their keys, beginning after one."""
        request = s3.ListObjectsV2Request(
            bucket=self._bucket, prefix=self._prefix, start_after=after or None, expected_bucket_owner=self._owner
        )
        while True:
            answer: s3.ListObjectsV2Output = await self._dynamodb.calls.run(
                self._caller.call(), "s3", "ListObjectsV2", request
            )
            for each in answer.contents or ():
                if each.size:
                    yield Found(each.key or "", each.size)
            if not answer.is_truncated:
                return
            request.continuation_token = answer.next_continuation_token

    async def lines(self, key: str, compression: str) -> AsyncGenerator[list[bytes], None]:
        """The lines of a file, some at a time. Raises Malformed for what cannot be read."""
        lines = Lines(compression)
        request = s3.GetObjectRequest(bucket=self._bucket, key=key, expected_bucket_owner=self._owner)
        answer: s3.GetObjectOutput = await self._dynamodb.calls.run(self._caller.call(), "s3", "GetObject", request)
        body = answer.body
        assert body is not None
        async for content in body:
            for start in range(0, len(content), _STEP):
                for found in lines.feed(content[start : start + _STEP]):
                    yield found
                await asyncio.sleep(0)
        yield lines.end()

    async def pieces(self, key: str, compression: str, turn: int) -> AsyncGenerator[tuple[list[bytes], bool], None]:
        """The same, at most `turn` lines or some megabytes at a time, and whether they are the last."""
        waiting: list[bytes] = []
        size = 0
        async with contextlib.aclosing(self.lines(key, compression)) as found:
            async for some in found:
                for line in some:
                    if len(waiting) == turn or size > _FULL:
                        yield waiting, False
                        waiting, size = [], 0
                    waiting.append(line)
                    size += len(line)
        yield waiting, True


class Target:
    """Where files are written: a bucket, its owner if that is checked, and how S3 encrypts them."""

    def __init__(
        self, dynamodb: DynamoDb, caller: Caller, bucket: str, owner: str | None, algorithm: str | None, key: str | None
    ) -> None:
        self._dynamodb = dynamodb
        self._caller = caller
        self._bucket = bucket
        self._owner = owner
        self._algorithm = {"KMS": "aws:kms"}.get(algorithm or "", algorithm)
        self._key = key

    async def put(self, key: str, content: bytes) -> str:
        """Write a file and give its ETag; tries again when S3 itself fails. Raises AwsError."""
        wait = 1.0
        for left in reversed(range(_TRIES)):
            request = s3.PutObjectRequest(
                bucket=self._bucket,
                key=key,
                body=BytesStream(content),
                expected_bucket_owner=self._owner,
                server_side_encryption=self._algorithm,
                ssekms_key_id=self._key,
            )
            try:
                answer: s3.PutObjectOutput = await self._dynamodb.calls.run(
                    self._caller.call(), "s3", "PutObject", request
                )
            except AwsError as error:
                if error.status < 500 or not left:
                    raise
                await self._dynamodb.clock.sleep(wait)
                wait *= 2
            else:
                return (answer.e_tag or "").strip('"')
        raise invalid("unreachable")


def checksum(content: bytes) -> str:
    """The MD5 of a file, as manifests have it."""
    return b64encode(md5(content, usedforsecurity=False).digest()).decode()


def check_encryption(algorithm: str | None, key: str | None) -> None:
    """Raises ValidationException for a key that nothing is encrypted with."""
    if key and algorithm != "KMS":
        raise invalid("S3SseKmsKeyId can only be specified when S3SseAlgorithm is KMS")
