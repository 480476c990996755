"""Tokens of pages, which expire."""

from __future__ import annotations

import msgspec

from cumulet.api import kinesis as api
from cumulet.services.kinesis.errors import invalid
from cumulet.services.kinesis.state import Kinesis

TOKEN_SECONDS = 300.0

_decode = msgspec.json.Decoder(tuple[str, str, str]).decode


def token(kinesis: Kinesis, kind: str, arn: str, after: str, rest: str = "") -> str:
    """The token of the page after an item. `arn` is the stream's; `rest` what the request asked for beside."""
    return kinesis.tokens.make(kinesis.clock.now(), arn, msgspec.json.encode((kind, after, rest)))


def read(kinesis: Kinesis, kind: str, text: str) -> tuple[str, str, str]:
    """The ARN, the item after which the page begins, and the rest. Raises InvalidArgumentException, ExpiredNextTokenException."""
    found = kinesis.tokens.read(text)
    try:
        made, arn, content = found or (0.0, "", b"")
        of, after, rest = _decode(content)
    except msgspec.DecodeError:
        raise invalid("Invalid NextToken.") from None
    if of != kind:
        raise invalid("Invalid NextToken.")
    if kinesis.clock.now() > made + TOKEN_SECONDS:
        raise api.ExpiredNextTokenException("The pagination token has expired. Begin with the first page again.")
    return arn, after, rest
