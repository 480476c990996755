"""Streams that are encrypted with a key of KMS: writing needs a data key of it, reading needs that to be decrypted.

Both are asked of KMS as the one who writes or reads, as AWS does; what KMS said holds for some minutes. Records are not encrypted with it
at rest.
https://docs.aws.amazon.com/streams/latest/dev/permissions-user-key-KMS.html
"""

from __future__ import annotations

import base64
from collections.abc import Collection
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from cumulet.api import kinesis as api
from cumulet.api import kms
from cumulet.kernel.call import Call
from cumulet.kernel.errors import AwsError
from cumulet.services.kinesis.directory import Opened
from cumulet.services.kinesis.errors import invalid
from cumulet.services.kinesis.model import Stream
from cumulet.services.kinesis.state import Kinesis

_REFUSALS: dict[str, type[AwsError]] = {
    "AccessDenied": api.KMSAccessDeniedException,
    "AccessDeniedException": api.KMSAccessDeniedException,
    "DisabledException": api.KMSDisabledException,
    "KMSInvalidStateException": api.KMSInvalidStateException,
    "NotFoundException": api.KMSNotFoundException,
    "ThrottlingException": api.KMSThrottlingException,
}


async def usable_key(kinesis: Kinesis, call: Call, stream: Stream, key_id: str) -> None:
    """Raises what Kinesis answers for a key that is not there, or cannot encrypt."""
    answer = await _ask(kinesis, call, stream, "DescribeKey", kms.DescribeKeyRequest(key_id=key_id))
    key = answer.key_metadata
    if not key.enabled:
        refusal = api.KMSDisabledException if key.key_state == "Disabled" else api.KMSInvalidStateException
        raise refusal(f"{key.arn} is {key.key_state}.")
    if key.key_spec != "SYMMETRIC_DEFAULT":
        raise invalid(f"{key.arn} is no symmetric key.")


async def may_write(kinesis: Kinesis, call: Call, opened: Opened) -> None:
    """Raises what Kinesis answers whom KMS gives no data key."""
    stream = opened.stream
    place = (stream.id, stream.key_id, call.principal.arn, "write")
    now = kinesis.clock.now()
    if stream.sealed_with and kinesis.allowed.holds(place, now):
        return
    wanted = kms.GenerateDataKeyRequest(key_id=stream.key_id, encryption_context=_context(stream), key_spec="AES_256")
    answer = await _ask(kinesis, call, stream, "GenerateDataKey", wanted)
    if not stream.sealed_with:
        sealed = {stream.key_id: base64.b64encode(answer.ciphertext_blob).decode()}
        await kinesis.edit(opened, lambda found: replace(found, data_keys=found.data_keys | sealed))
    kinesis.allowed.note(place, now)


async def may_read(kinesis: Kinesis, call: Call, stream: Stream, places: Collection[int]) -> None:
    """Raises what Kinesis answers whom KMS does not decrypt those of the stream's data keys for. `places`: theirs, or 0 for none."""
    for place in places:
        if place:
            await _may_use(kinesis, call, stream, list(stream.data_keys.values())[place - 1])


async def _may_use(kinesis: Kinesis, call: Call, stream: Stream, data_key: str) -> None:
    place = (stream.id, data_key, call.principal.arn, "read")
    now = kinesis.clock.now()
    if kinesis.allowed.holds(place, now):
        return
    blob = base64.b64decode(data_key)
    await _ask(
        kinesis, call, stream, "Decrypt", kms.DecryptRequest(ciphertext_blob=blob, encryption_context=_context(stream))
    )
    kinesis.allowed.note(place, now)


def _context(stream: Stream) -> dict[str, str]:
    return {"aws:kinesis:arn": stream.arn}


async def _ask(kinesis: Kinesis, call: Call, stream: Stream, operation: str, request: Struct) -> Any:
    asking = replace(call, source_arn=stream.arn)
    try:
        return await kinesis.calls.run(asking, "kms", operation, request)
    except AwsError as refused:
        refusal = _REFUSALS.get(refused.code)
        if refusal is not None:
            raise refusal(refused.message) from None
        if refused.status >= 500:
            raise
        raise invalid(refused.message) from None
