"""Parameter mapping of HTTP APIs: what is changed on the way to an integration, and on the way back.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-parameter-mapping.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal, cast

from msgspec import Struct

from cumulet.services.apigateway.http import expressions
from cumulet.services.apigateway.http.errors import bad
from cumulet.services.apigateway.http.expressions import Expression

Action = Literal["append", "overwrite", "remove"]

_KEY = re.compile(r"(append|overwrite|remove):(header|querystring)\.([^\s:]+)")
_STATUS = re.compile(r"[2-5]\d\d")
_RESERVED = re.compile(
    r"access-control-.*|apigw-.*|authorization|connection|content-encoding|content-length|content-location|forwarded|keep-alive|"
    r"origin|proxy-authenticate|proxy-authorization|te|trailers|transfer-encoding|upgrade|x-amz-.*|x-amzn-.*|x-forwarded-for|"
    r"x-forwarded-host|x-forwarded-proto|via",
    re.IGNORECASE,
)
_REQUEST = frozenset({"request", "context", "stageVariables"})
_RESPONSE = frozenset({"response", "context", "stageVariables"})


class Change(Struct, frozen=True):
    """One mapping. `place` is header, querystring, path or statuscode; `name` is empty for the latter two."""

    action: Action
    place: str
    name: str
    value: Expression


def changes(mapping: Mapping[str, str]) -> list[Change]:
    """The compiled mapping of a request, or of a response with one status."""
    found = []
    for key, value in mapping.items():
        match = _KEY.fullmatch(key)
        if match is not None:
            action = cast(Action, match[1])
            found.append(Change(action, match[2], match[3], expressions.compile(value)))
        elif key in ("overwrite:path", "overwrite:statuscode"):
            found.append(Change("overwrite", key[10:], "", expressions.compile(value)))
    return found


def check_request(mapping: Mapping[str, str]) -> None:
    """Raises BadRequestException for a mapping of requests that cannot be."""
    for key, value in mapping.items():
        match = _KEY.fullmatch(key)
        if match is None and key != "overwrite:path":
            raise _invalid(key)
        _check(match, value, _REQUEST)


def check_response(mapping: Mapping[str, Mapping[str, str]]) -> None:
    """Raises BadRequestException for mappings of responses, by status, that cannot be."""
    for status, held in mapping.items():
        if not _STATUS.fullmatch(status):
            raise bad(f"Invalid response parameters key: {status}. It must be a status code from 200 to 599")
        for key, value in held.items():
            match = _KEY.fullmatch(key)
            if key == "overwrite:statuscode":
                if not _STATUS.fullmatch(value) and "$" not in value:
                    raise bad(f"Invalid status code specified: {value}")
            elif match is None or match[2] != "header":
                raise _invalid(key)
            _check(match, value, _RESPONSE)


def _check(match: re.Match[str] | None, value: str, sources: frozenset[str]) -> None:
    if match is not None:
        if match[2] == "header" and _RESERVED.fullmatch(match[3]):
            raise bad(f"Operations on header {match[3]} are restricted")
        if match[1] == "remove":
            return
    for path in expressions.compile(value).paths:
        if path[0] not in sources:
            raise _invalid(value)


def _invalid(text: str) -> Exception:
    return bad(
        "Invalid mapping expression specified: Validation Result: warnings : [], "
        f"errors : [Invalid mapping expression specified: {text}]"
    )
