"""TagResource, UntagResource and ListTagsOfResource."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from cumulet.api import dynamodb as api
from cumulet.kernel.arn import Arn
from cumulet.kernel.call import Call
from cumulet.services.dynamodb.errors import NOT_FOUND, invalid, invalid_values
from cumulet.services.dynamodb.model import Table
from cumulet.services.dynamodb.state import DynamoDb
from cumulet.storage.database import Transaction

_MOST = 50
_UNFIT = re.compile(r"[^\w\s.:/=+@-]")
"""What may not be in a tag: it has letters, digits, white space and these signs."""
_decode = msgspec.json.Decoder(dict[str, str]).decode


def checked(given: Sequence[api.Tag]) -> dict[str, str]:
    """Tags as they are kept. Raises ValidationException."""
    kept = {tag.key: tag.value for tag in given}
    if len(kept) != len(given):
        raise invalid("One or more parameter values were invalid: Duplicate tag keys are not allowed")
    if any(key.lower().startswith("aws:") for key in kept):
        raise invalid_values("Tag keys that begin with aws: are reserved")
    if any(_UNFIT.search(text) for text in (*kept, *kept.values())):
        raise invalid_values("Tags can have letters, digits, white space and the characters _ . : / = + - @ only")
    if len(kept) > _MOST:
        raise invalid_values(f"Too many tags: there can be {_MOST} at most")
    return kept


async def tagged(dynamodb: DynamoDb, call: Call, arn: str) -> Table:
    """The table whose own ARN this is, or that of one of its streams. Raises ResourceNotFoundException, ValidationException."""
    try:
        parts = Arn.parse(arn)
    except ValueError:
        raise invalid(f"Invalid TableArn: Invalid ResourceArn provided as input {arn}") from None
    if parts.service != "dynamodb" or not parts.resource.startswith("table/"):
        raise invalid(f"Invalid TableArn: Invalid ResourceArn provided as input {arn}")
    place = (parts.account or call.account, parts.region or call.region, parts.resource.split("/")[1])
    table = await dynamodb.directory.find(place)
    if table is None:
        raise api.ResourceNotFoundException(f"{NOT_FOUND}: ResourcArn: {arn} not found")
    if arn.startswith(f"{table.arn}/index/"):
        raise invalid_values(
            f"Invalid resource arn provided, only table or stream is accepted. Provided resource arn: {arn}"
        )
    if arn != table.arn and not arn.startswith(f"{table.arn}/stream/"):
        # Permissions were looked up for what stands there, which is not what this table is called.
        raise invalid(f"Invalid TableArn: Invalid ResourceArn provided as input {arn}")
    return table


async def tag_resource(dynamodb: DynamoDb, call: Call, request: api.TagResourceInput) -> None:
    if not request.tags:
        raise invalid("Atleast one Tag needs to be provided as Input.")
    table = await tagged(dynamodb, call, request.resource_arn)
    added = checked(request.tags)
    async with dynamodb.change(table) as (tx, now):
        kept = await _tags(dynamodb, now, tx) | added
        if len(kept) > _MOST:
            raise invalid_values(f"Too many tags: there can be {_MOST} at most")
        await dynamodb.tables.put_tags(tx, now, msgspec.json.encode(kept).decode())


async def untag_resource(dynamodb: DynamoDb, call: Call, request: api.UntagResourceInput) -> None:
    if not request.tag_keys:
        raise invalid("Atleast one Tag Key needs to be provided as Input.")
    table = await tagged(dynamodb, call, request.resource_arn)
    gone = frozenset(request.tag_keys)
    async with dynamodb.change(table) as (tx, now):
        kept = {key: value for key, value in (await _tags(dynamodb, now, tx)).items() if key not in gone}
        await dynamodb.tables.put_tags(tx, now, msgspec.json.encode(kept).decode())


async def list_tags_of_resource(
    dynamodb: DynamoDb, call: Call, request: api.ListTagsOfResourceInput
) -> api.ListTagsOfResourceOutput:
    table = await tagged(dynamodb, call, request.resource_arn)
    kept = await _tags(dynamodb, table)
    return api.ListTagsOfResourceOutput(tags=[api.Tag(key=key, value=value) for key, value in kept.items()])


async def _tags(dynamodb: DynamoDb, table: Table, tx: Transaction | None = None) -> dict[str, str]:
    return _decode(await dynamodb.tables.tags(table, tx))
