"""What tables of several accounts allow each other in their resource policies: to join them, and to replicate.

It counts however the node treats permissions otherwise: without it one account could read and write another's items.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/globaltables_MA_security.html
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from cumulet.kernel.call import Principal
from cumulet.kernel.errors import AwsError
from cumulet.policy.compiled import CompiledPolicy, Request, compile_policy
from cumulet.policy.document import Grammar, PolicyError

_REPLICATION = Principal.service("replication.dynamodb.amazonaws.com")
_STEADY = ("dynamodb:ReadDataForReplication", "dynamodb:WriteDataForReplication", "dynamodb:ReplicateSettings")
_ASSOCIATE = "dynamodb:AssociateTableReplica"


class Member(NamedTuple):
    """A table of a global table of several accounts; its policy is empty where it has none."""

    account: str
    arn: str
    policy: str


def check_joining(principal: Principal, members: Sequence[Member]) -> None:
    """Whether everyone who is there lets somebody add a table. Raises AccessDeniedException."""
    for member in members:
        role = _role(principal)
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


def _role(principal: Principal) -> str:
    """The role that a session is of; empty for others."""
    if principal.kind != "assumed-role":
        return ""
    return f"arn:aws:iam::{principal.account}:role/{principal.arn.split('/')[1]}"


def denied(principal: Principal, action: str, arn: str) -> AwsError:
    """What is answered to whom a resource's policy does not let in."""
    return AwsError(
        f"User: {principal.arn} is not authorized to perform: {action} on resource: {arn} "
        f"because no resource-based policy allows the {action} action",
        code="AccessDeniedException",
    )
