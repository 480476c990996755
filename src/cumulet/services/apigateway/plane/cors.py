"""What browsers may do from other sites' pages, where an API answers for its integrations.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html
"""

from collections.abc import Mapping
from typing import Protocol

HEADERS = frozenset(
    {
        "access-control-allow-origin",
        "access-control-allow-methods",
        "access-control-allow-headers",
        "access-control-allow-credentials",
        "access-control-expose-headers",
        "access-control-max-age",
    }
)
"""Names, in small letters, that an API with a configuration says itself: an integration's are dropped."""
_ASKED = "access-control-request-method"


class Cors(Protocol):
    """A configuration, as apigatewayv2's Cors is."""

    allow_credentials: bool | None
    allow_headers: list[str] | None
    allow_methods: list[str] | None
    allow_origins: list[str] | None
    expose_headers: list[str] | None
    max_age: int | None


def is_preflight(method: str, headers: Mapping[str, str]) -> bool:
    """Whether a browser asks what it may do; `headers` have lower-case names."""
    return method == "OPTIONS" and "origin" in headers and _ASKED in headers


def preflight(cors: Cors, headers: Mapping[str, str]) -> list[tuple[str, str]]:
    """The headers of the answer (204); none when the page may not."""
    allowed = shared(cors, headers.get("origin", ""))
    if not allowed:
        return []
    lines = [line for line in allowed if line[0] != "access-control-expose-headers"]
    if cors.allow_methods:
        lines.append(("access-control-allow-methods", _listed(cors.allow_methods, headers.get(_ASKED, ""), cors)))
    if cors.allow_headers:
        asked = headers.get("access-control-request-headers", "")
        lines.append(("access-control-allow-headers", _listed(cors.allow_headers, asked, cors)))
    if cors.max_age is not None:
        lines.append(("access-control-max-age", str(cors.max_age)))
    return lines


def shared(cors: Cors, origin: str) -> list[tuple[str, str]]:
    """The headers of an answer to a page from `origin`; none when it may not read it."""
    origins = cors.allow_origins or []
    if not origin or not any(_fits(pattern, origin) for pattern in origins):
        return []
    anyone = "*" in origins and not cors.allow_credentials
    lines = [("access-control-allow-origin", "*" if anyone else origin)]
    if not anyone:
        lines.append(("vary", "origin"))
    if cors.allow_credentials:
        lines.append(("access-control-allow-credentials", "true"))
    if cors.expose_headers:
        lines.append(("access-control-expose-headers", ",".join(cors.expose_headers)))
    return lines


def _fits(pattern: str, origin: str) -> bool:
    """`*`, `http://*`, `https://*` or an origin as it is, without case."""
    pattern, origin = pattern.lower(), origin.lower()
    if pattern.endswith("*"):
        return origin.startswith(pattern[:-1])
    return pattern == origin


def _listed(names: list[str], asked: str, cors: Cors) -> str:
    """A browser takes no wildcard for requests with credentials."""
    return asked if "*" in names and cors.allow_credentials and asked else ",".join(names)
