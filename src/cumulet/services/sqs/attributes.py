"""Queue attributes: names, ranges, defaults, and the text AWS answers for them."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from msgspec.structs import replace

from cumulet.api.sqs import InvalidAttributeName, InvalidAttributeValue
from cumulet.services.sqs import redrive
from cumulet.services.sqs.model import LARGEST_MESSAGE, LONGEST_VISIBILITY, LONGEST_WAIT, Settings


class _Attribute(NamedTuple):
    field: str
    parse: Callable[[str, str], Any]
    fifo_only: bool = False


def _invalid(name: str, reason: str = "") -> InvalidAttributeValue:
    return InvalidAttributeValue(f"Invalid value for the parameter {name}." + (f" Reason: {reason}" if reason else ""))


def _number(low: int, high: int) -> Callable[[str, str], int]:
    def parse(name: str, text: str) -> int:
        if not text.isascii() or not text.isdigit() or not low <= int(text[:10]) <= high or len(text) > 10:
            raise _invalid(name)
        return int(text)

    return parse


def _flag(name: str, text: str) -> bool:
    if text.lower() not in {"true", "false"}:
        raise _invalid(name)
    return text.lower() == "true"


def _one_of(*allowed: str) -> Callable[[str, str], str]:
    def parse(name: str, text: str) -> str:
        if text not in allowed:
            raise _invalid(name)
        return text

    return parse


def _text(_name: str, text: str) -> str:
    return text


_ATTRIBUTES = {
    "DelaySeconds": _Attribute("delay", _number(0, 900)),
    "MaximumMessageSize": _Attribute("maximum_size", _number(1024, LARGEST_MESSAGE)),
    "MessageRetentionPeriod": _Attribute("retention", _number(60, 1_209_600)),
    "ReceiveMessageWaitTimeSeconds": _Attribute("wait", _number(0, LONGEST_WAIT)),
    "VisibilityTimeout": _Attribute("visibility", _number(0, LONGEST_VISIBILITY)),
    "RedrivePolicy": _Attribute("redrive_policy", _text),
    "RedriveAllowPolicy": _Attribute("redrive_allow_policy", _text),
    "KmsMasterKeyId": _Attribute("kms_key", _text),
    "KmsDataKeyReusePeriodSeconds": _Attribute("kms_reuse", _number(60, 86_400)),
    "SqsManagedSseEnabled": _Attribute("managed_sse", _flag),
    "FifoQueue": _Attribute("fifo", _flag, fifo_only=True),
    "ContentBasedDeduplication": _Attribute("content_deduplication", _flag, fifo_only=True),
    "DeduplicationScope": _Attribute("deduplication_scope", _one_of("queue", "messageGroup"), fifo_only=True),
    "FifoThroughputLimit": _Attribute("throughput_limit", _one_of("perQueue", "perMessageGroupId"), fifo_only=True),
}
POLICY = "Policy"
"""Kept beside the other attributes: it may be long, and no operation on messages needs it."""
_COMPUTED = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesDelayed",
    "ApproximateNumberOfMessagesNotVisible",
    "CreatedTimestamp",
    "LastModifiedTimestamp",
    "QueueArn",
)
NAMES = frozenset((*_ATTRIBUTES, POLICY, *_COMPUTED))
_DEFAULTS = Settings()


def apply(settings: Settings, given: Mapping[str, str], now: float, *, new: bool = False) -> Settings:
    """`settings` changed by attributes a client gave (`Policy` left aside); empty text takes one back.

    Raises InvalidAttributeName, InvalidAttributeValue or, for redrive policies, InvalidParameterValue.
    """
    changes: dict[str, Any] = {}
    for name, text in given.items():
        if name == POLICY:
            continue
        attribute = _find(name, settings.fifo)
        changes[attribute.field] = attribute.parse(name, text) if text else getattr(_DEFAULTS, attribute.field)
    if changes.get("fifo", settings.fifo) != settings.fifo:
        raise _invalid("FifoQueue", "Modifying queue type is not supported.")
    changed = replace(settings, **(changes | _encryption(changes) | redrive.parse(changes, given)))
    if changed.throughput_limit == "perMessageGroupId" and changed.deduplication_scope != "messageGroup":
        raise _invalid(
            "FifoThroughputLimit",
            "perMessageGroupId is allowed only when the value for DeduplicationScope is messageGroup.",
        )
    if changed.deduplication_scope != settings.deduplication_scope and not new:
        changed = replace(changed, scope_before=settings.scope(now), scope_changed=now)
    return changed


def _find(name: str, fifo: bool) -> _Attribute:
    attribute = _ATTRIBUTES.get(name)
    if attribute is None or (attribute.fifo_only and not fifo):
        if name in {"DeduplicationScope", "FifoThroughputLimit"}:
            raise InvalidAttributeName(f"You can specify the {name} only when FifoQueue is set to true.")
        raise InvalidAttributeName(f"Unknown Attribute {name}.")
    return attribute


def _encryption(changes: Mapping[str, Any]) -> dict[str, bool | str]:
    """One kind of server-side encryption at a time; choosing one ends the other."""
    if changes.get("kms_key"):
        if changes.get("managed_sse"):
            raise InvalidAttributeName(
                "You can use one type of server-side encryption (SSE) at one time. "
                "You can either enable KMS SSE or SQS SSE."
            )
        return {"managed_sse": False}
    return {"kms_key": ""} if changes.get("managed_sse") else {}


def first_difference(settings: Settings, wanted: Settings, given: Mapping[str, str]) -> str | None:
    """The attribute whose given value is not the queue's."""
    for name in given:
        if name in _ATTRIBUTES:
            field = _ATTRIBUTES[name].field
            if getattr(settings, field) != getattr(wanted, field):
                return name
    return None


def render(settings: Settings) -> dict[str, str]:
    """The attributes that a queue shows, with their values as text."""
    shown = {}
    for name, attribute in _ATTRIBUTES.items():
        value = getattr(settings, attribute.field)
        if value == "" or (attribute.fifo_only and not settings.fifo):
            continue
        if name == "KmsDataKeyReusePeriodSeconds" and not settings.kms_key:
            continue
        shown[name] = str(value).lower() if isinstance(value, bool) else str(value)
    return shown


def check_names(names: list[str]) -> None:
    """Raises InvalidAttributeName for what no queue has."""
    for name in names:
        if name not in NAMES and name != "All":
            raise InvalidAttributeName(f"Unknown Attribute {name}.")
