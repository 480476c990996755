"""Operations on a queue's policy: AddPermission and RemovePermission write statements into it."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from msgspec.structs import replace

from cumulet.api import sqs as api
from cumulet.kernel.arn import Arn
from cumulet.kernel.call import Call
from cumulet.services.sqs.errors import MissingParameter, invalid
from cumulet.services.sqs.model import Queue
from cumulet.services.sqs.state import Sqs
from cumulet.services.sqs.store import Record

_ACTIONS = frozenset(
    (
        "*",
        "ChangeMessageVisibility",
        "DeleteMessage",
        "GetQueueAttributes",
        "GetQueueUrl",
        "ListDeadLetterSourceQueues",
        "PurgeQueue",
        "ReceiveMessage",
        "SendMessage",
    )
)
_MOST_ACTIONS = 7
_LABEL = re.compile(r"[A-Za-z0-9_-]{1,80}")
_ACCOUNT = re.compile(r"\d{12}")


def check(policy: str) -> str:
    """The policy, if it is one (or empty); raises InvalidAttributeValue."""
    if policy and _statements(policy) is None:
        raise api.InvalidAttributeValue("Invalid value for the parameter Policy.")
    return policy


def _statements(policy: str) -> list[dict[str, Any]] | None:
    """The statements of a policy document; None when it is none."""
    try:
        document = msgspec.json.decode(policy)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return None
    statements = document.get("Statement") if isinstance(document, dict) else None
    statements = [statements] if isinstance(statements, dict) else statements
    if not isinstance(statements, list) or not all(isinstance(statement, dict) for statement in statements):
        return None
    return statements


async def add_permission(sqs: Sqs, call: Call, request: api.AddPermissionRequest) -> None:
    queue = await sqs.queue(call, request.queue_url)
    statement = _statement(queue, request)

    def change(record: Record) -> Record:
        statements = _statements(record.policy) or []
        if any(other.get("Sid") == request.label for other in statements):
            raise invalid("Label", request.label, "Already exists.")
        return _with(queue, record, [*statements, statement])

    await sqs.queues.edit(queue, change, sqs.clock.now())
    sqs.directory.changed(queue)


async def remove_permission(sqs: Sqs, call: Call, request: api.RemovePermissionRequest) -> None:
    queue = await sqs.queue(call, request.queue_url)

    def change(record: Record) -> Record:
        statements = _statements(record.policy) or []
        kept = [statement for statement in statements if statement.get("Sid") != request.label]
        if len(kept) == len(statements):
            raise invalid("Label", request.label, "can't find label.")
        return _with(queue, record, kept)

    await sqs.queues.edit(queue, change, sqs.clock.now())
    sqs.directory.changed(queue)


def _with(queue: Queue, record: Record, statements: list[dict[str, Any]]) -> Record:
    """The record with a policy of these statements; without any there is no policy."""
    document = msgspec.json.decode(record.policy) if record.policy else _empty(queue)
    policy = msgspec.json.encode(document | {"Statement": statements}).decode() if statements else ""
    return replace(record, policy=policy)


def _empty(queue: Queue) -> dict[str, Any]:
    return {"Version": "2008-10-17", "Id": f"{queue.arn}/SQSDefaultPolicy", "Statement": []}


def _statement(queue: Queue, request: api.AddPermissionRequest) -> dict[str, Any]:
    """The statement that grants the actions to the accounts; raises InvalidParameterValue, OverLimit."""
    if not _LABEL.fullmatch(request.label):
        reason = "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length."
        raise invalid("Label", request.label, reason)
    if not request.actions:
        raise MissingParameter.named("Actions")
    if not request.aws_account_ids:
        raise MissingParameter.named("AWSAccountIds")
    if len(request.actions) > _MOST_ACTIONS:
        raise api.OverLimit(f"{len(request.actions)} Actions were found, maximum allowed is {_MOST_ACTIONS}.")
    for action in request.actions:
        if action not in _ACTIONS:
            reason = "Only the queue owner is allowed to invoke this action."
            if action not in api.OPERATIONS.values():
                reason = "Please refer to the appropriate WSDL for a list of valid actions."
            raise invalid("ActionName", f"SQS:{action}", reason)
    for account in request.aws_account_ids:
        if not _ACCOUNT.fullmatch(account):
            raise invalid("PrincipalId", account, "Unable to verify.")
    return {
        "Sid": request.label,
        "Effect": "Allow",
        "Principal": {
            "AWS": _one_or_all([str(Arn("iam", "", account, "root")) for account in request.aws_account_ids])
        },
        "Action": _one_or_all([f"SQS:{action}" for action in request.actions]),
        "Resource": queue.arn,
    }


def _one_or_all(values: list[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else values
