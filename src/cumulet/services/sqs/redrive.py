"""Redrive policies: which queue takes the messages that were received too often, and from which queues it does."""

from collections.abc import Mapping
from typing import Any

import msgspec

from cumulet.kernel.arn import Arn
from cumulet.services.sqs.errors import InvalidParameterValue, invalid
from cumulet.services.sqs.model import Queue

_MOST_RECEIVES = 1000
_MOST_SOURCES = 10


def parse(changes: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, str | int]:
    """The settings that follow from new policies; raises InvalidParameterValue."""
    if "redrive_allow_policy" in changes and given["RedriveAllowPolicy"]:
        _parse_allow(given["RedriveAllowPolicy"])
    if "redrive_policy" not in changes:
        return {}
    text = given["RedrivePolicy"]
    if not text:
        return {"dead_letter_arn": "", "max_receive_count": 0}
    policy = _json_map("RedrivePolicy", "Redrive policy", text)
    for name in ("maxReceiveCount", "deadLetterTargetArn"):
        if name not in policy:
            raise invalid("RedrivePolicy", text, f"Redrive policy does not contain mandatory attribute: {name}.")
    count = str(policy["maxReceiveCount"])
    if not count.isascii() or not count.isdigit() or not 1 <= int(count[:9]) <= _MOST_RECEIVES:
        raise invalid(
            "RedrivePolicy",
            text,
            f"Invalid value for maxReceiveCount: {count}, valid values are from 1 to {_MOST_RECEIVES} both inclusive.",
        )
    return {"dead_letter_arn": str(_arn(text, policy["deadLetterTargetArn"])), "max_receive_count": int(count)}


def _arn(text: str, value: object) -> Arn:
    try:
        arn = Arn.parse(value if isinstance(value, str) else "")
    except ValueError:
        arn = None
    if arn is None or arn.service != "sqs":
        raise invalid("RedrivePolicy", text, "Invalid value for deadLetterTargetArn.")
    return arn


def _parse_allow(text: str) -> dict[str, Any]:
    policy = _json_map("RedriveAllowPolicy", "Redrive allow policy", text)
    permission = policy.get("redrivePermission")
    sources = policy.get("sourceQueueArns")
    if permission not in ("allowAll", "denyAll", "byQueue"):
        raise invalid(
            "RedriveAllowPolicy",
            text,
            "Amazon SQS can't create the redrive allow policy, as it's in an unsupported format.",
        )
    if (permission == "byQueue") != isinstance(sources, list):
        raise invalid(
            "RedriveAllowPolicy", text, "sourceQueueArns is given with the byQueue permission, and only with it."
        )
    if isinstance(sources, list) and not 1 <= len(sources) <= _MOST_SOURCES:
        raise invalid(
            "RedriveAllowPolicy",
            text,
            f"Amazon SQS can't create the redrive allow policy. Specify between 1 and "
            f"{_MOST_SOURCES} source queue ARNs.",
        )
    return policy


def _json_map(name: str, title: str, text: str) -> dict[str, Any]:
    try:
        policy = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        policy = None
    if not isinstance(policy, dict):
        raise invalid(name, text, f"{title} is not a valid JSON map.")
    return policy


def check_target(source_arn: str, fifo: bool, policy: str, target: Queue | None) -> None:
    """May a queue use this target? Raises InvalidParameterValue; `policy` is the text that the message quotes."""
    if target is None:
        raise invalid("RedrivePolicy", policy, "Dead letter target does not exist.")
    if target.fifo != fifo:
        raise invalid("RedrivePolicy", policy, "Dead-letter queue must be same type of queue as the source.")
    if not allows(target, source_arn):
        raise InvalidParameterValue(
            f"Value {policy} for parameter RedrivePolicy is invalid. Reason: The dead-letter queue's RedriveAllowPolicy "
            "does not allow this source queue."
        )


def allows(target: Queue, source_arn: str) -> bool:
    """Does the target's RedriveAllowPolicy admit this source?"""
    text = target.settings.redrive_allow_policy
    if not text:
        return True
    policy = _parse_allow(text)
    permission = policy["redrivePermission"]
    return permission == "allowAll" or (permission == "byQueue" and source_arn in policy["sourceQueueArns"])
