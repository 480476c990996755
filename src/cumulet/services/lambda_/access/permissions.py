"""Operations on resource policies: who else may invoke a function."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from cumulet.api import lambda_ as api
from cumulet.kernel.call import Call
from cumulet.kernel.ids import new_id
from cumulet.services.lambda_.errors import conflict, invalid, no_function, not_found, stale_revision
from cumulet.services.lambda_.names import LATEST, FunctionKey, Reference, is_version, refer
from cumulet.services.lambda_.state import Lambda
from cumulet.storage.database import Transaction

_KEPT = 10_000
_KIND = "policy"
_ACCOUNT = re.compile(r"\d{12}")
_ARN = re.compile(r"arn:aws[a-zA-Z-]*:(iam|sts)::\d{12}:.+")
_SERVICE = re.compile(
    r"[a-z0-9-]+(\.[a-z0-9-]+)*\.(amazonaws\.com(\.cn)?|amazon\.com|alexa\.com)|[a-z0-9-]+\.[a-z0-9.-]+"
)

Statement = dict[str, Any]


class Policy(Struct, frozen=True, kw_only=True):
    """A resource policy, its statements as they were given. Without statements there is none."""

    version: str = "2012-10-17"
    id: str = "default"
    statements: list[Statement] = []

    def text(self) -> str:
        document = {"Version": self.version, "Id": self.id, "Statement": self.statements}
        return msgspec.json.encode(document).decode()


async def add_permission(lambda_: Lambda, call: Call, request: api.AddPermissionRequest) -> api.AddPermissionResponse:
    reference = refer(call, request.function_name, request.qualifier)
    if reference.qualifier == LATEST:
        raise invalid("We currently do not support adding policies for $LATEST.")
    statement = _statement(request, reference.arn)
    async with lambda_.change(reference.key) as tx:
        revision = await revision_of(lambda_, tx, reference)
        if request.revision_id is not None and request.revision_id != revision:
            raise stale_revision("GetPolicy")
        policy = await policy_in(lambda_, reference, tx)
        if any(known.get("Sid") == request.statement_id for known in policy.statements):
            raise conflict(
                f"The statement id ({request.statement_id}) provided already exists. "
                "Please provide a new statement id, or remove the existing statement."
            )
        await put_policy(lambda_, tx, reference, replace(policy, statements=[*policy.statements, statement]))
    return api.AddPermissionResponse(statement=msgspec.json.encode(statement).decode())


async def remove_permission(lambda_: Lambda, call: Call, request: api.RemovePermissionRequest) -> None:
    reference = refer(call, request.function_name, request.qualifier)
    async with lambda_.change(reference.key) as tx:
        if await lambda_.store.function(reference.key, tx) is None:
            raise not_found(f"No policy found for: {reference.arn}")
        revision = await revision_of(lambda_, tx, reference)
        policy = await policy_in(lambda_, reference, tx)
        if not policy.statements:
            raise not_found("No policy is associated with the given resource.")
        left = [known for known in policy.statements if known.get("Sid") != request.statement_id]
        if len(left) == len(policy.statements):
            raise not_found(f"Statement {request.statement_id} is not found in resource policy.")
        if request.revision_id is not None and request.revision_id != revision:
            raise stale_revision("GetPolicy")
        await put_policy(lambda_, tx, reference, replace(policy, statements=left))


async def get_policy(lambda_: Lambda, call: Call, request: api.GetPolicyRequest) -> api.GetPolicyResponse:
    reference = refer(call, request.function_name, request.qualifier)
    policy = await policy_of(lambda_, reference)
    if policy is None:
        raise not_found("The resource you requested does not exist.")
    return api.GetPolicyResponse(policy=policy, revision_id=await revision_of(lambda_, None, reference))


async def policy_of(lambda_: Lambda, reference: Reference) -> str | None:
    """The policy document of a function, version or alias; None when it has no statements."""
    known = lambda_.policies
    if reference in known:
        return known[reference]
    policy = await policy_in(lambda_, reference, None)
    if len(known) >= _KEPT:
        known.clear()
    # Into the map of before: a change meanwhile has put another in its place.
    text = known[reference] = policy.text() if policy.statements else None
    return text


def _statement(request: api.AddPermissionRequest, arn: str) -> Statement:
    """The statement as AWS writes it, its members in AWS's order."""
    equals = {
        "AWS:SourceAccount": request.source_account,
        "lambda:EventSourceToken": request.event_source_token,
        "lambda:FunctionUrlAuthType": request.function_url_auth_type,
        "aws:PrincipalOrgID": request.principal_org_id,
    }
    condition: Statement = {}
    if chosen := {name: value for name, value in equals.items() if value is not None}:
        condition["StringEquals"] = chosen
    if request.invoked_via_function_url is not None:
        condition["Bool"] = {"lambda:InvokedViaFunctionUrl": str(request.invoked_via_function_url).lower()}
    if request.source_arn is not None:
        condition["ArnLike"] = {"AWS:SourceArn": request.source_arn}
    statement: Statement = {
        "Sid": request.statement_id,
        "Effect": "Allow",
        "Principal": _principal(request.principal),
        "Action": request.action,
        "Resource": arn,
    }
    return {**statement, "Condition": condition} if condition else statement


def _principal(principal: str) -> str | dict[str, str]:
    if principal == "*":
        return principal
    if _ACCOUNT.fullmatch(principal):
        return {"AWS": f"arn:aws:iam::{principal}:root"}
    if _ARN.fullmatch(principal):
        return {"AWS": principal}
    if _SERVICE.fullmatch(principal):
        return {"Service": principal}
    raise invalid("The provided principal was invalid. Please check the principal and try again.")


async def policy_in(lambda_: Lambda, reference: Reference, tx: Transaction | None) -> Policy:
    """The policy of a function, version or alias."""
    document = await lambda_.store.setting(_KIND, reference.key, _place(reference), tx)
    if document is None:
        return Policy()
    if document.startswith(b"["):  # statements alone, as the first nodes stored them
        return Policy(statements=msgspec.json.decode(document))
    return msgspec.json.decode(document, type=Policy)


async def put_policy(lambda_: Lambda, tx: Transaction, reference: Reference, policy: Policy) -> str:
    """Store the policy; the function, version or alias that it belongs to gets a new revision, which is given back."""
    key, place = reference.key, _place(reference)
    size, revision = len(msgspec.json.encode(policy.statements)), new_id()
    if size > lambda_.limits.policy_size:
        raise api.PolicyLengthExceededException(
            f"The final policy size ({size}) is bigger than the limit ({lambda_.limits.policy_size})."
        )
    if policy.statements:
        await lambda_.store.put_setting(tx, _KIND, key, place, msgspec.json.encode(policy))
    else:
        await lambda_.store.delete_setting(tx, _KIND, key, place)
    if place == LATEST or is_version(place):
        version = await lambda_.store.version(key, place, tx)
        if version is not None:
            await lambda_.store.put_version(tx, key, version.changed(revision_id=revision))
    else:
        alias = await lambda_.store.alias(key, place, tx)
        if alias is not None:
            await lambda_.store.put_alias(tx, key, replace(alias, revision=revision))
    return revision


async def revision_of(lambda_: Lambda, tx: Transaction | None, reference: Reference) -> str:
    """Of what the policy belongs to; raises AWS's errors when there is no such thing."""
    key, place = reference.key, _place(reference)
    if place == LATEST or is_version(place):
        version = await lambda_.store.version(key, place, tx)
        if version is None:
            raise no_function(reference.arn)
        return version.configuration.revision_id or ""
    alias = await lambda_.store.alias(key, place, tx)
    if alias is None:
        raise _no_alias(key, place)
    return alias.revision


def _no_alias(key: FunctionKey, name: str) -> Exception:
    arn = f"{key.arn}:{name}"
    return no_function(arn) if "$" in name else not_found(f"Cannot find alias arn: {arn}")


def _place(reference: Reference) -> str:
    return reference.qualifier or LATEST
