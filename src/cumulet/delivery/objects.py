"""Objects of S3 that a service reads for its caller: code, truststores, logos."""

from __future__ import annotations

from cumulet.api import s3 as api
from cumulet.kernel.call import Call
from cumulet.kernel.calls import Calls


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
