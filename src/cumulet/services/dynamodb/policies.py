"""PutResourcePolicy, GetResourcePolicy and DeleteResourcePolicy: documents that are attached to a table or a stream."""

from __future__ import annotations

import logging

import msgspec
from msgspec.structs import replace

from cumulet.api import dynamodb as api
from cumulet.kernel.call import Call
from cumulet.kernel.errors import AwsError
from cumulet.kernel.ids import new_id
from cumulet.services.dynamodb import consent, replicas, store
from cumulet.services.dynamodb.consent import Member
from cumulet.services.dynamodb.errors import in_use, invalid
from cumulet.services.dynamodb.model import CREATING, Table
from cumulet.services.dynamodb.state import DynamoDb
from cumulet.services.dynamodb.tags import tagged
from cumulet.storage.database import Database, Transaction

log = logging.getLogger(__name__)

_MOST_BYTES = 20 * 1024
_NO_POLICY = "NO_POLICY"


def check(document: str) -> None:
    """Refuse what is no policy document. Raises ValidationException."""
    if len(document.encode()) > _MOST_BYTES:
        raise invalid(f"The resource policy exceeds the maximum size of {_MOST_BYTES} bytes")
    try:
        value = msgspec.json.decode(document)
    except (msgspec.DecodeError, RecursionError):
        value = None
    if not isinstance(value, dict) or "Statement" not in value:
        raise invalid("Invalid policy document: the document is not a JSON object with a Statement")


async def put(tx: Transaction, table: Table, arn: str, document: str, revision: str) -> None:
    await tx.write(
        "INSERT INTO ddb_policy (tbl, arn, document, revision) VALUES ($1, $2, $3, $4) "
        "ON CONFLICT (arn) DO UPDATE SET tbl = $1, document = $3, revision = $4",
        (table.id, arn, document, revision),
    )


async def find(source: Database | Transaction, arn: str) -> tuple[str, str] | None:
    """The document at an ARN and its revision; who changes it reads it in the same transaction."""
    rows = await source.read("SELECT document, revision FROM ddb_policy WHERE arn = $1", (arn,))
    return (str(rows[0][0]), str(rows[0][1])) if rows else None


async def put_resource_policy(
    dynamodb: DynamoDb, call: Call, request: api.PutResourcePolicyInput
) -> api.PutResourcePolicyOutput:
    table = await tagged(dynamodb, call, request.resource_arn)
    check(request.policy)
    expected = request.expected_revision_id
    revision = new_id()
    async with dynamodb.change(table) as (tx, now):
        held = await find(tx, request.resource_arn)
        if expected is not None and expected != (held[1] if held else _NO_POLICY):
            raise _not_found(request.resource_arn)
        if held is not None and held[0] == request.policy:
            return api.PutResourcePolicyOutput(revision_id=held[1])
        await put(tx, table, request.resource_arn, request.policy, revision)
        if request.resource_arn == now.arn:
            await _keep_together(dynamodb, tx, now, request.policy)
    return api.PutResourcePolicyOutput(revision_id=revision)


async def get_resource_policy(
    dynamodb: DynamoDb, call: Call, request: api.GetResourcePolicyInput
) -> api.GetResourcePolicyOutput:
    await tagged(dynamodb, call, request.resource_arn)
    held = await find(dynamodb.db, request.resource_arn)
    if held is None:
        raise _not_found(request.resource_arn)
    return api.GetResourcePolicyOutput(policy=held[0], revision_id=held[1])


async def delete_resource_policy(
    dynamodb: DynamoDb, call: Call, request: api.DeleteResourcePolicyInput
) -> api.DeleteResourcePolicyOutput:
    table = await tagged(dynamodb, call, request.resource_arn)
    expected = request.expected_revision_id
    async with dynamodb.change(table) as (tx, now):
        held = await find(tx, request.resource_arn)
        if expected is not None and (held is None or expected != held[1]):
            raise _not_found(request.resource_arn)
        if held is None:
            return api.DeleteResourcePolicyOutput()
        await tx.write("DELETE FROM ddb_policy WHERE arn = $1", (request.resource_arn,))
        if request.resource_arn == now.arn:
            await _keep_together(dynamodb, tx, now, "")
    return api.DeleteResourcePolicyOutput(revision_id=held[1])


async def members(tx: Transaction, table: Table) -> list[Member]:
    """A table and its replicas, as they are asked whether they agree."""
    every = [table, *[sibling async for sibling in replicas.siblings(tx, table)]]
    return [await _member(tx, each) for each in every]


async def _member(tx: Transaction, table: Table) -> Member:
    rows = await tx.read("SELECT document FROM ddb_policy WHERE arn = $1", (table.arn,))
    return Member(table.account, table.arn, rows[0][0] if rows else "")


async def _keep_together(dynamodb: DynamoDb, tx: Transaction, table: Table, document: str) -> None:
    """Let a table stand alone that does not allow any more what its global table of several accounts needs.

    Raises ResourceInUseException while items are being copied.
    """
    if not table.accounts:
        return
    try:
        consent.check_one(Member(table.account, table.arn, document), await members(tx, table))
    except AwsError as refusal:
        if table.status == CREATING or table.copied:
            raise in_use(table.name) from None
        log.warning("%s leaves its global table: %s", table.arn, refusal.message)
        await replicas.leave(dynamodb, tx, table)
        await store.save(tx, replace(table, replicas=(), guarded=True))


def _not_found(arn: str) -> api.PolicyNotFoundException:
    return api.PolicyNotFoundException(f"Resource-based policy not found for the provided ResourceArn: {arn}")
