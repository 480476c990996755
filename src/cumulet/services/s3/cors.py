"""What a bucket's CORS configuration says to a browser: https://docs.aws.amazon.com/AmazonS3/latest/userguide/cors.html"""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence

from cumulet.api import s3 as api
from cumulet.kernel.errors import AwsError
from cumulet.services.s3.errors import error
from cumulet.services.s3.state import S3

_VARY = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"
_NOT_ALLOWED = (
    "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request method / "
    "Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's CORS spec."
)


async def preflight(
    s3: S3, bucket: str, key: str, origin: str | None, method: str | None, headers: Sequence[str]
) -> dict[str, str]:
    """The headers that answer an OPTIONS request; raises AccessForbidden when the bucket does not allow it."""
    if origin is None:
        raise error(400, "BadRequest", "Insufficient information. Origin request header needed.")
    found = s3.cache.get(bucket) or await s3.buckets.find(bucket)
    if found is None:
        raise _forbidden("CORSResponse: Bucket not found", method, "BUCKET")
    config = found.setting("cors", api.CORSConfiguration)
    if config is None:
        raise _forbidden("CORSResponse: CORS is not enabled for this bucket.", method, "BUCKET")
    for rule in config.cors_rules:
        answer = _allowed(rule, origin, method or "", headers)
        if answer is not None:
            return answer
    raise _forbidden(_NOT_ALLOWED, method, "OBJECT" if key else "BUCKET")


def _forbidden(message: str, method: str | None, kind: str) -> AwsError:
    return error(403, "AccessForbidden", message, Method=method or "OPTIONS", ResourceType=kind)


async def shared(s3: S3, bucket: str, origin: str, method: str, headers: Sequence[str]) -> dict[str, str]:
    """The headers for the answer to a cross-origin request; none when no rule allows it."""
    found = s3.cache.get(bucket)
    config = found.setting("cors", api.CORSConfiguration) if found else None
    for rule in config.cors_rules if config else ():
        answer = _allowed(rule, origin, method, headers)
        if answer is not None:
            return answer
    return {}


def _allowed(rule: api.CORSRule, origin: str, method: str, headers: Sequence[str]) -> dict[str, str] | None:
    """What a rule answers, None when it does not allow the request."""
    matching = next((one for one in rule.allowed_origins if fnmatch.fnmatchcase(origin, _literal(one))), None)
    if matching is None or method not in rule.allowed_methods:
        return None
    patterns = [_literal(one.lower()) for one in rule.allowed_headers or []]
    if not all(any(fnmatch.fnmatchcase(header.lower(), one) for one in patterns) for header in headers):
        return None
    answer = {
        "Access-Control-Allow-Origin": "*" if matching == "*" else origin,
        "Access-Control-Allow-Methods": ", ".join(rule.allowed_methods),
    }
    if headers:
        answer["Access-Control-Allow-Headers"] = ", ".join(header.lower() for header in headers)
    if rule.expose_headers:
        answer["Access-Control-Expose-Headers"] = ", ".join(rule.expose_headers)
    if rule.max_age_seconds is not None:
        answer["Access-Control-Max-Age"] = str(rule.max_age_seconds)
    if matching != "*":
        answer["Access-Control-Allow-Credentials"] = "true"
    return answer | {"Vary": _VARY}


def _literal(pattern: str) -> str:
    """A pattern in which only `*` is special."""
    return pattern.replace("[", "[[]").replace("?", "[?]")
