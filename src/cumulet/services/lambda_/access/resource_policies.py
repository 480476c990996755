"""Operations on resource policies as whole documents; `permissions` has those on single statements of the same policies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from cumulet.api import lambda_ as api
from cumulet.kernel.call import Call
from cumulet.policy.document import Grammar, PolicyError, Statement, parse
from cumulet.services.lambda_.access.permissions import Policy, policy_in, put_policy, revision_of
from cumulet.services.lambda_.errors import invalid, not_found, stale_revision
from cumulet.services.lambda_.names import LATEST, Reference, refer
from cumulet.services.lambda_.state import Lambda

_NARROWING = frozenset(
    {
        "aws:principalaccount",
        "aws:principalarn",
        "aws:principalorgid",
        "aws:principalorgpaths",
        "aws:sourceaccount",
        "aws:sourcearn",
        "aws:sourceip",
        "aws:sourceorgid",
        "aws:sourceorgpaths",
        "aws:sourceowner",
        "aws:sourcevpc",
        "aws:sourcevpce",
        "aws:userid",
        "lambda:eventsourcetoken",
        "lambda:functionurlauthtype",
    }
)
"""Condition keys that keep a statement for everybody from being public; a function URL's is public on purpose."""


async def put_resource_policy(
    lambda_: Lambda, call: Call, request: api.PutResourcePolicyRequest
) -> api.PutResourcePolicyResponse:
    """Replaces what AddPermission has added."""
    reference = _reference(call, request.resource_arn)
    policy = _parsed(request.policy, reference.arn)
    async with lambda_.change(reference.key) as tx:
        _check_revision(request.revision_id, await revision_of(lambda_, tx, reference))
        revision = await put_policy(lambda_, tx, reference, policy)
    return api.PutResourcePolicyResponse(policy=policy.text(), revision_id=revision)


async def get_resource_policy(
    lambda_: Lambda, call: Call, request: api.GetResourcePolicyRequest
) -> api.GetResourcePolicyResponse:
    reference = _reference(call, request.resource_arn)
    revision = await revision_of(lambda_, None, reference)
    policy = await policy_in(lambda_, reference, None)
    if not policy.statements:
        raise not_found("The resource you requested does not exist.")
    return api.GetResourcePolicyResponse(policy=policy.text(), revision_id=revision)


async def delete_resource_policy(lambda_: Lambda, call: Call, request: api.DeleteResourcePolicyRequest) -> None:
    reference = _reference(call, request.resource_arn)
    async with lambda_.change(reference.key) as tx:
        _check_revision(request.revision_id, await revision_of(lambda_, tx, reference))
        policy = await policy_in(lambda_, reference, tx)
        if not policy.statements:
            raise not_found("The resource you requested does not exist.")
        await put_policy(lambda_, tx, reference, Policy())


def _reference(call: Call, arn: str) -> Reference:
    """Raises AWS's errors for what has no policy: runtimes of customers are not here, $LATEST has none of its own."""
    if ":function:" not in arn:
        raise not_found("The resource you requested does not exist.")
    reference = refer(call, arn)
    if reference.qualifier == LATEST:
        raise invalid("We currently do not support adding policies for $LATEST.")
    return reference


def _check_revision(wanted: str | None, revision: str) -> None:
    if wanted is not None and wanted != revision:
        raise stale_revision("GetResourcePolicy")


def _parsed(text: str, arn: str) -> Policy:
    """Raises InvalidParameterValueException for what is no policy of this resource, PublicPolicyException for a public one."""
    try:
        document = parse(text, Grammar.RESOURCE)
        raw: Mapping[str, Any] = msgspec.json.decode(text)
    except (PolicyError, msgspec.DecodeError, RecursionError) as error:
        raise invalid(f"The policy is not valid: {error}") from error
    for statement in document.statements:
        _check_statement(statement, arn)
    statements = raw["Statement"]
    return Policy(
        version=document.version,
        id=document.id or "default",
        statements=statements if isinstance(statements, list) else [statements],
    )


def _check_statement(statement: Statement, arn: str) -> None:
    if statement.principals is None and statement.not_principals is None:
        raise invalid("The policy is not valid: each statement needs a principal.")
    actions = statement.actions or statement.not_actions or ()
    if any(action != "*" and not action.lower().startswith("lambda:") for action in actions):
        raise invalid("The policy is not valid: a resource policy of Lambda has actions of Lambda only.")
    resources = statement.resources or statement.not_resources or ()
    if any(resource not in {arn, "*"} for resource in resources):
        raise invalid(f"The policy is not valid: its resource must be {arn}.")
    if statement.allow and _everybody(statement) and not _narrowed(statement):
        raise api.PublicPolicyException(
            "The resource-based policy you tried to add to the Lambda resource would grant public access to it, "
            "which isn't allowed."
        )


def _everybody(statement: Statement) -> bool:
    if statement.not_principals is not None:
        return True
    return any("*" in values for values in (statement.principals or {}).values())


def _narrowed(statement: Statement) -> bool:
    return any(
        key.lower() in _NARROWING and "*" not in values
        for conditions in statement.conditions.values()
        for key, values in conditions.items()
    )
