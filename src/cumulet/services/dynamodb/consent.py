"""What tables of several accounts allow each other in their resource policies: to join them, and to replicate.

It counts however the node treats permissions otherwise: without it one account could read and write another's items.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/globaltables_MA_security.html
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from msgspec.structs import replace

from cumulet.api import iam
from cumulet.kernel.call import Call, Principal
from cumulet.kernel.calls import Calls
from cumulet.kernel.errors import AwsError
from cumulet.policy.compiled import CompiledPolicy, Request, compile_policy
from cumulet.policy.document import Grammar, PolicyError

_REPLICATION = Principal.service("replication.dynamodb.amazonaws.com")
_STEADY = ("dynamodb:ReadDataForReplication", "dynamodb:WriteDataForReplication", "dynamodb:ReplicateSettings")
_ASSOCIATE = "dynamodb:AssociateTableReplica"
_UNKNOWN = "NoSuchEntity"


class Member(NamedTuple):
    """A table of a global table of several accounts; its policy is empty where it has none."""

    account: str
    arn: str
    policy: str


async def role_of(calls: Calls, call: Call) -> str:
    """The role that a session is of, by IAM's ARN of it, which has its path; empty for others than sessions.

    Where permissions are not enforced a session may be of a role that IAM does not have: one without a path, then.
    """
    principal = call.principal
    if principal.kind != "assumed-role":
        return ""
    name = principal.arn.split("/")[1]
    asking = replace(call, account=principal.account, principal=Principal.root(principal.account), access_key="")
    try:
        return str((await calls.run(asking, "iam", "GetRole", iam.GetRoleRequest(role_name=name))).role.arn)
    except AwsError as refused:
        if refused.code != _UNKNOWN:
            raise
        return f"arn:aws:iam::{principal.account}:role/{name}"


def check_joining(principal: Principal, role: str, members: Sequence[Member]) -> None:
    """Whether everyone who is there lets somebody, as `role_of` says who, add a table. Raises AccessDeniedException."""
    for member in members:
        keys = {
            "aws:principalaccount": (principal.account,),
            "aws:principalarn": (role or principal.arn,),
            "aws:principalisawsservice": ("false",),
        }
        if not _allows(member, Request(principal, _ASSOCIATE, member.arn, keys.get, role)):
            raise denied(principal, _ASSOCIATE, member.arn)


def check_replication(members: Sequence[Member]) -> None:
    """Whether each lets DynamoDB replicate between it and all of them, itself included. Raises AccessDeniedException."""
    for member in members:
        check_one(member, members)


def check_one(member: Member, members: Sequence[Member]) -> None:
    """As `check_replication`, for the policy of one of them."""
    for other in members:
        keys = {
            "aws:sourceaccount": (other.account,),
            "aws:sourcearn": (other.arn,),
            "aws:principalisawsservice": ("true",),
            "aws:principalservicename": (_REPLICATION.arn,),
        }
        for action in _STEADY:
            if not _allows(member, Request(_REPLICATION, action, member.arn, keys.get)):
                raise denied(_REPLICATION, action, member.arn)


def _allows(member: Member, asked: Request) -> bool:
    policy = _compiled(member)
    if policy is None:
        return False
    verdict = policy.judge(asked)
    return verdict.denied is None and verdict.allowed is not None


def _compiled(member: Member) -> CompiledPolicy | None:
    try:
        return compile_policy(member.policy, Grammar.RESOURCE, member.arn)
    except PolicyError:
        return None  # what cannot be read lets nobody in


def unseen(principal: Principal, arn: str) -> AwsError:
    """What is answered to whom another account has no such table for: the same as to whom that does not let join it."""
    return denied(principal, _ASSOCIATE, arn)


def denied(principal: Principal, action: str, arn: str) -> AwsError:
    """What is answered to whom a resource's policy does not let in."""
    return AwsError(
        f"User: {principal.arn} is not authorized to perform: {action} on resource: {arn} "
        f"because no resource-based policy allows the {action} action",
        code="AccessDeniedException",
    )
