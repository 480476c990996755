"""Objects of S3 that a service reads for its caller: code, truststores, logos."""

from __future__ import annotations

import re

from cumulet.api import s3 as api
from cumulet.kernel.call import Call
from cumulet.kernel.calls import Calls
from cumulet.kernel.errors import AwsError

_URI = re.compile(r"s3://([^/]+)/(.+)")


class TooLarge(Exception):
    """The object has more bytes than its reader takes."""


async def read_object(
    calls: Calls, call: Call, bucket: str, key: str, *, limit: int, version: str | None = None
) -> tuple[bytes, str | None]:
    """An object of at most `limit` bytes, and its version where its bucket keeps them.

    Read as `call`'s caller: raises the AwsError that S3 has for them, and TooLarge.
    """
    request = api.GetObjectRequest(bucket=bucket, key=key, version_id=version)
    answer: api.GetObjectOutput = await calls.run(call, "s3", "GetObject", request)
    data = bytearray()
    if answer.body is not None:
        async for piece in answer.body:
            data += piece
            if len(data) > limit:
                raise TooLarge
    return bytes(data), answer.version_id


class NotReadable(Exception):
    """There is nothing to read at an address; the message says why."""


def is_uri(text: str) -> bool:
    """Whether it is the address of an object, as `s3://bucket/key`."""
    return _URI.fullmatch(text) is not None


async def read_uri(
    calls: Calls, call: Call, uri: str, *, what: str, limit_mb: int, version: str | None = None
) -> bytes:
    """The object at an address that `is_uri`, read as `read_object` does. `what` it is to be, messages say; raises NotReadable."""
    place = _URI.fullmatch(uri)
    if place is None:
        raise NotReadable(f"{uri} is no address of an object of S3")
    try:
        data, _ = await read_object(calls, call, place[1], place[2], version=version, limit=limit_mb << 20)
    except AwsError as error:
        raise NotReadable(f"Unable to read the {what} {uri} from S3: {error.code}: {error.message}") from error
    except TooLarge:
        raise NotReadable(f"The {what} {uri} is larger than {limit_mb} MB") from None
    return data
