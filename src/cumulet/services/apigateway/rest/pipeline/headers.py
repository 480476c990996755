"""Which headers pass an API, and by what names.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html
"""

from collections.abc import Iterable
from functools import lru_cache

DROPPED = frozenset(
    {
        "connection",
        "content-length",
        "content-md5",
        "expect",
        "max-forwards",
        "proxy-authenticate",
        "server",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "www-authenticate",
    }
)
"""Of requests, in small letters: they reach no integration."""
REMAPPED = frozenset(
    {
        "authorization",
        "connection",
        "content-length",
        "content-md5",
        "date",
        "expect",
        "host",
        "max-forwards",
        "proxy-authenticate",
        "server",
        "trailer",
        "upgrade",
        "user-agent",
        "www-authenticate",
        "x-amzn-requestid",
        "x-amz-apigw-id",
    }
)
"""Of answers: they go by another name."""
UNMAPPABLE = frozenset({"content-length", "transfer-encoding"})
"""Headers of a request to an integration that cannot be set by a mapping: AWS answers 500."""
UNMAPPABLE_FOR_SERVICES = UNMAPPABLE | {"authorization", "connection", "expect", "proxy-authenticate", "te"}
NEVER_SENT = frozenset(
    {"connection", "expect", "proxy-authenticate", "te", "transfer-encoding", "content-length", "via"}
)
"""Of requests to HTTP integrations: what a mapping says of them is dropped."""
_PROPER = {"authorization": "Authorization", "host": "Host", "user-agent": "User-Agent"}


def proper_name(key: str, name: str) -> str:
    """A header's name as integrations see it: as it was sent but for a few."""
    return _PROPER.get(key, name)


@lru_cache(2048)
def answer_name(name: str) -> str:
    """A header's name in the answer; empty when it is not part of it."""
    key = name.lower()
    if key == "transfer-encoding":
        return ""
    return f"x-amzn-Remapped-{name}" if key in REMAPPED else name


def remapped(lines: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """An integration's headers as the client gets them."""
    return [(given, value) for name, value in lines if (given := answer_name(name))]
