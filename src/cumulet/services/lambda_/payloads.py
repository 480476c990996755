"""What may be given to a function: one JSON document."""

import msgspec

from cumulet.services.lambda_.errors import bad_content

_PREFIX = "Could not parse request body into json: Could not parse payload into json: "
_SOURCE = "\n at [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: {}, column: {}]"
_EXPECTED = "expected a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')"
_json = msgspec.json.Decoder()


def checked(payload: bytes | None) -> bytes:
    """The payload, `{}` when there is none; raises InvalidRequestContentException when it is not JSON."""
    if not payload or payload == b"{}":
        return b"{}"
    try:
        _json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise bad_content(_PREFIX + _complaint(payload)) from error
    return payload


def _complaint(payload: bytes) -> str:
    """What AWS's parser says, for the cases it is known for."""
    text = payload.lstrip()
    if not text:
        return "No content to map due to end-of-input" + _source(payload, len(payload))
    first = len(payload) - len(text)
    if text[0] >= 0x80 or text[0] < 0x20:
        return f"Unexpected character ((CTRL-CHAR, code {text[0]})): {_EXPECTED}" + _source(payload, first)
    if text[0:1] not in b'"{[-0123456789ntf':
        return f"Unexpected character ('{chr(text[0])}' (code {text[0]})): {_EXPECTED}" + _source(payload, first)
    try:
        payload.decode()
    except UnicodeDecodeError as error:
        kind = "middle" if 0xC2 <= payload[error.start] <= 0xF4 else "start"
        place = error.start + (kind == "middle")
        byte = payload[min(place, len(payload) - 1)]
        return f"Invalid UTF-8 {kind} byte 0x{byte:x}" + _source(payload, place + 1)
    return "Unexpected end-of-input or character" + _source(payload, len(payload) - 1)


def _source(payload: bytes, place: int) -> str:
    before = payload[:place]
    return _SOURCE.format(before.count(b"\n") + 1, place - (before.rfind(b"\n") + 1) + 1)
