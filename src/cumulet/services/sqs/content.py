"""What may be in a message: characters, sizes, attributes, and the digests that the SDKs verify."""

import hashlib
import re
import struct
from collections.abc import Callable, Mapping

import msgspec

from cumulet.api.sqs import InvalidMessageContents, MessageAttributeValue, MessageSystemAttributeValue
from cumulet.services.sqs.errors import InvalidParameterValue, MissingParameter, invalid

AttributeValue = MessageAttributeValue | MessageSystemAttributeValue

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_CHARACTERS = (
    "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | "
    "#x10000 to #x10FFFF."
)
_NAME = re.compile(r"[\w.-]{1,256}")
_RESERVED = re.compile(r"(aws|amazon)\.", re.IGNORECASE)
_TYPE = re.compile(r"(String|Number|Binary)(\..*)?", re.DOTALL)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_MOST_ATTRIBUTES = 10
_TOKEN = re.compile(r"[A-Za-z0-9!-/:-@\[-`{-~]{1,128}")
_LENGTH = struct.Struct(">I")

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(dict[str, MessageAttributeValue]).decode


def check_body(body: str) -> None:
    """Raises MissingParameter or InvalidMessageContents."""
    if not body:
        raise MissingParameter.named("MessageBody")
    if _FORBIDDEN.search(body):
        raise InvalidMessageContents(_CHARACTERS)


def check_token(parameter: str, value: str) -> None:
    """The rule for group, deduplication and attempt ids."""
    if not _TOKEN.fullmatch(value):
        raise invalid(
            parameter,
            value,
            f"{parameter} can only include alphanumeric and punctuation characters. 1 to 128 in length.",
        )


def check_attributes(attributes: Mapping[str, MessageAttributeValue]) -> None:
    """Names, types and values of a message's attributes; raises InvalidParameterValue."""
    if len(attributes) > _MOST_ATTRIBUTES:
        raise InvalidParameterValue(
            f"Number of message attributes [{len(attributes)}] exceeds the allowed maximum [{_MOST_ATTRIBUTES}]."
        )
    for name, value in attributes.items():
        _check_name(name)
        _check_value(name, value)


def _check_name(name: str) -> None:
    if _RESERVED.match(name):
        raise InvalidParameterValue(
            "You can't use message attribute names beginning with 'AWS.' or 'Amazon.'. "
            "These strings are reserved for internal use."
        )
    if not _NAME.fullmatch(name) or name.startswith(".") or name.endswith(".") or ".." in name:
        raise InvalidParameterValue(
            f"Invalid attribute name: {name}. Message (user) attribute names have 1 to 256 letters, "
            "digits, underscores, hyphens and periods, none at the start, the end, or in a row."
        )


def _check_value(name: str, value: MessageAttributeValue) -> None:
    kind = _TYPE.fullmatch(value.data_type)
    if kind is None:
        raise InvalidParameterValue(
            f"The type of message (user) attribute '{name}' is invalid. You must use only the "
            "following supported type prefixes: Binary, Number, String."
        )
    if len(value.data_type) > 256:
        raise InvalidParameterValue(
            f"The type of message (user) attribute '{name}' is too long: at most 256 characters."
        )
    content = value.binary_value if kind[1] == "Binary" else value.string_value
    if not content:
        raise InvalidParameterValue(
            f"Message (user) attribute '{name}' must contain a non-empty value of type '{kind[1]}'."
        )
    if isinstance(content, str) and _FORBIDDEN.search(content):
        raise InvalidParameterValue(f"Invalid value for message (user) attribute '{name}'. {_CHARACTERS}")
    if kind[1] == "Number" and not _NUMBER.fullmatch(value.string_value or ""):
        raise InvalidParameterValue(f"Can't cast the value of message (user) attribute '{name}' to a number.")


def check_system_attributes(attributes: Mapping[str, MessageSystemAttributeValue]) -> str | None:
    """The trace header, the only one a sender may set."""
    for name, value in attributes.items():
        if name != "AWSTraceHeader":
            raise InvalidParameterValue(f"Message system attribute name '{name}' is invalid.")
        if value.data_type != "String" or not value.string_value:
            raise InvalidParameterValue(
                f"Message (system) attribute '{name}' must contain a non-empty value of type 'String'."
            )
        return value.string_value
    return None


def size(body: str, attributes: Mapping[str, MessageAttributeValue] | None) -> int:
    """Bytes that count against the limits: the body, and every attribute's name, type and value."""
    total = len(body) if body.isascii() else len(body.encode())
    for name, value in (attributes or {}).items():
        total += len(name.encode()) + len(value.data_type.encode())
        total += len(value.binary_value or b"") + len((value.string_value or "").encode())
    return total


def md5(body: str) -> str:
    """MD5OfMessageBody."""
    return hashlib.md5(body.encode(), usedforsecurity=False).hexdigest()


def md5_of_attributes(attributes: Mapping[str, AttributeValue]) -> str:
    """MD5OfMessageAttributes, as the developer guide defines it ("Calculating the MD5 message digest")."""
    digest = hashlib.md5(usedforsecurity=False)
    for name in sorted(attributes):
        value = attributes[name]
        _add(digest.update, name.encode())
        _add(digest.update, value.data_type.encode())
        if value.data_type.startswith("Binary"):
            digest.update(b"\x02")
            _add(digest.update, value.binary_value or b"")
        else:
            digest.update(b"\x01")
            _add(digest.update, (value.string_value or "").encode())
    return digest.hexdigest()


def _add(update: Callable[[bytes], None], data: bytes) -> None:
    update(_LENGTH.pack(len(data)))
    update(data)


def pack(attributes: Mapping[str, MessageAttributeValue] | None) -> bytes | None:
    """Attributes as they are stored."""
    return _encode(attributes) if attributes else None


def unpack(stored: bytes | None) -> dict[str, MessageAttributeValue]:
    """The opposite of `pack`."""
    return _decode(stored) if stored else {}


def select(attributes: dict[str, MessageAttributeValue], names: list[str]) -> dict[str, MessageAttributeValue]:
    """Those a receiver asked for: by name, `All`, `.*`, or a prefix such as `bar.*`."""
    if any(name in {"All", ".*", "*"} for name in names):
        return attributes
    prefixes = tuple(name[:-2] for name in names if name.endswith(".*"))
    return {
        name: value for name, value in attributes.items() if name in names or (prefixes and name.startswith(prefixes))
    }
