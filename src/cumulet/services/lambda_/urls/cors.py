"""What browsers may do with a function's URL from other sites' pages.

https://docs.aws.amazon.com/lambda/latest/dg/urls-configuration.html#urls-cors
"""

from collections.abc import Mapping

from cumulet.api.lambda_ import Cors

OWN = frozenset(
    {
        "access-control-allow-origin",
        "access-control-allow-methods",
        "access-control-allow-headers",
        "access-control-allow-credentials",
        "access-control-expose-headers",
        "access-control-max-age",
    }
)


def is_preflight(cors: Cors | None, method: str, headers: Mapping[str, str]) -> bool:
    """Whether the URL answers by itself; without a configuration the function does."""
    return cors is not None and method == "OPTIONS" and "origin" in headers and _ASKED_METHOD in headers


def preflight(cors: Cors, headers: Mapping[str, str]) -> dict[str, str]:
    """The headers of the answer; none of them when the page may not."""
    method = headers[_ASKED_METHOD]
    methods = cors.allow_methods or []
    allowed = shared(cors, headers["origin"])
    if not allowed or not (method in methods or "*" in methods):
        return {}
    allowed.pop("Access-Control-Expose-Headers", None)
    asked = headers.get("access-control-request-headers", "")
    if names := cors.allow_headers:
        # A browser takes no wildcard for requests with credentials.
        literal = asked if "*" in names and cors.allow_credentials else ",".join(names)
        allowed["Access-Control-Allow-Headers"] = literal
    allowed["Access-Control-Allow-Methods"] = method if cors.allow_credentials else ",".join(methods)
    if cors.max_age is not None:
        allowed["Access-Control-Max-Age"] = str(cors.max_age)
    return allowed


def shared(cors: Cors, origin: str) -> dict[str, str]:
    """The headers of an answer to a page from `origin`."""
    origins = cors.allow_origins or []
    if origin not in origins and "*" not in origins:
        return {}
    any_ = "*" in origins and not cors.allow_credentials
    found = {"Access-Control-Allow-Origin": "*" if any_ else origin}
    if not any_:
        found["Vary"] = "Origin"
    if cors.allow_credentials:
        found["Access-Control-Allow-Credentials"] = "true"
    if cors.expose_headers:
        found["Access-Control-Expose-Headers"] = ",".join(cors.expose_headers)
    return found


_ASKED_METHOD = "access-control-request-method"
