"""Text in HTTP headers: what S3 keeps of it, and how it writes what headers cannot hold.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html
"""

import base64
from typing import Any

from cumulet.services.s3.errors import invalid_argument

_PLAIN = {*map(chr, range(0x20, 0x7F)), "\t"}
_ENCODED_IN_WORDS = "=_?"


def decoded_word(value: str) -> str:
    """RFC 2047 words that say nothing but printable ASCII become that; others stay as they were sent."""
    from email.errors import HeaderParseError  # noqa: PLC0415  few clients write such words
    from email.header import decode_header, make_header  # noqa: PLC0415

    try:
        text = str(make_header(decode_header(value)))
    except (HeaderParseError, ValueError, LookupError):
        return value
    return text if text.isascii() and text.isprintable() else value


def mail_safe(value: str) -> str:
    """A metadata value as a header holds it: as it is, or as an RFC 2047 word, in whichever form is the more readable."""
    plain = sum(char in _PLAIN for char in value)
    if plain == len(value):
        return value
    raw = value.encode("utf-8", "replace")
    if 2 * plain <= len(value):
        return f"=?UTF-8?B?{base64.b64encode(raw).decode()}?="
    return f"=?UTF-8?Q?{''.join(map(_quoted, raw))}?="


def _quoted(byte: int) -> str:
    char = chr(byte)
    if char == " ":
        return "_"
    return char if 0x20 < byte < 0x7F and char not in _ENCODED_IN_WORDS else f"={byte:02X}"


def checked_override(name: str, value: Any) -> Any:
    """A response-* parameter that is to become a header; raises InvalidArgument for what no header can hold."""
    if isinstance(value, str) and any(ord(char) > 0xFF or ord(char) < 0x20 or ord(char) == 0x7F for char in value):
        raise invalid_argument(
            "Header value cannot be represented using ISO-8859-1.", f"response-{name.replace('_', '-')}", value
        )
    return value
