"""The rules of STS that need no store."""

from __future__ import annotations

import re
from collections.abc import Sequence

from cumulet.api import sts as api
from cumulet.kernel.errors import AwsError
from cumulet.policy.check import check_identity_policy
from cumulet.policy.document import PolicyError

MAX_POLICY = 2048
MAX_POLICY_ARNS = 10
CHAINED_SESSION = 3600

_ROLE_ARN = re.compile(r"arn:[a-z-]+:(?:iam|sts)::([0-9]{12}):role/(?:[^:]*/)?([\w+=,.@-]{1,64})")
_ARN = re.compile(r"arn:[^:]+:[^:]+:[^:]*:[^:]*:.+", re.DOTALL)


def role_in(arn: str) -> tuple[str, str]:
    """The account and name in a role's ARN; raises ValidationError."""
    found = _ROLE_ARN.fullmatch(arn)
    if found is None:
        raise invalid(f"{arn} is invalid")
    return found[1], found[2]


def invalid(message: str) -> AwsError:
    return AwsError(message, code="ValidationError", status=400)


def bad_parameter(message: str) -> AwsError:
    return AwsError(message, code="InvalidParameterValue", status=400)


def access_denied(message: str) -> AwsError:
    return AwsError(message, code="AccessDenied", status=403)


def session_policies(policy: str | None, arns: Sequence[api.PolicyDescriptorType] | None) -> tuple[str, ...]:
    """The texts and ARNs that limit a session; raises MalformedPolicyDocument, PackedPolicyTooLarge."""
    found = []
    if policy is not None:
        try:
            check_identity_policy(policy)
        except PolicyError as error:
            raise api.MalformedPolicyDocumentException(str(error)) from None
        found.append(policy)
    for descriptor in arns or ():
        if descriptor.arn is None or not _ARN.fullmatch(descriptor.arn):
            raise invalid("Invalid ARN:  Could not be parsed!")
        found.append(descriptor.arn)
    if arns is not None and len(arns) > MAX_POLICY_ARNS:
        raise api.PackedPolicyTooLargeException("The number of managed policies exceeds the maximum of 10.")
    return tuple(found)


def packed_size(policies: Sequence[str], tags: dict[str, str]) -> int | None:
    """PackedPolicySize: how much of what a session may carry its policies and tags take, in percent; None for none.

    AWS packs in a form of its own; this counts characters against the documented 2,048.
    """
    size = sum(map(len, policies)) + sum(len(key) + len(value) for key, value in tags.items())
    if not size:
        return None
    percent = -(-size * 100 // (MAX_POLICY * 4))
    if percent > 100:
        raise api.PackedPolicyTooLargeException(
            f"Packed size of session tags and policies consumes {percent}% of allotted space."
        )
    return percent


def session_tags(
    tags: Sequence[api.Tag] | None,
    transitive: Sequence[str] | None,
    inherited: dict[str, str],
) -> tuple[dict[str, str], tuple[str, ...]]:
    """The tags of a new session and which of them it hands on; `inherited` came from the calling session."""
    own = {tag.key: tag.value for tag in tags or ()}
    folds = {tag.key.lower() for tag in tags or ()}
    if len(folds) < len(tags or ()):
        raise bad_parameter("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
    handed_on = {key.lower() for key in transitive or ()}
    if not handed_on <= folds:
        raise bad_parameter("The specified transitive tag key must be included in the requested tags.")
    if folds & {key.lower() for key in inherited}:
        raise bad_parameter(
            "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from "
            "the calling session."
        )
    keys = (*inherited, *(key for key in own if key.lower() in handed_on))
    return inherited | own, keys
