"""What the parameters of an HTTP Task may be.

https://docs.aws.amazon.com/step-functions/latest/dg/call-https-apis.html
"""

from __future__ import annotations

import re
from typing import Any

from cumulet.kernel.connections import is_safe
from cumulet.services.stepfunctions.tasks.forms import FORMATS
from cumulet.services.stepfunctions.tasks.shapes import BadField

_PARAMETERS = frozenset(
    (
        *("ApiEndpoint", "Method", "Authentication", "InvocationConfig", "Headers", "QueryParameters"),
        *("RequestBody", "Transform"),
    )
)
_METHODS = frozenset(("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"))
_FORBIDDEN = re.compile(
    r"(x-forwarded-|x-amz-|x-amzn-).*|a-im|accept-charset|accept-datetime|accept-encoding|authorization|cache-control|connection"
    r"|content-encoding|content-length|content-md5|date|expect|forwarded|from|host|http2-settings|if-match|if-modified-since"
    r"|if-none-match|if-range|if-unmodified-since|max-forwards|origin|pragma|proxy-authorization|referer|server|te|trailer"
    r"|transfer-encoding|upgrade|via|warning",
    re.IGNORECASE,
)
"""AWS's list, and the length, which is the client's own."""
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+", re.ASCII)


def check(arguments: Any) -> None:
    """Raises BadField."""
    if not isinstance(arguments, dict):
        raise BadField("The field 'ApiEndpoint' is required but was missing")
    for name in ("ApiEndpoint", "Method"):
        if arguments.get(name) is None:
            raise BadField(f"The field '{name}' is required but was missing")
    for name, value in arguments.items():
        if name not in _PARAMETERS:
            raise BadField(f"The field '{name}' is not supported by Step Functions")
        if value is not None and not _CHECKS.get(name, _anything)(value):
            raise BadField(f"The value of the field '{name}' has an invalid format")
    _check_connection(arguments)
    for name in arguments.get("Headers") or ():
        if _FORBIDDEN.fullmatch(name):
            raise BadField(f"The header '{name}' is not allowed in the field 'Headers'")


def _check_connection(arguments: dict[str, Any]) -> None:
    given = [name for name in ("Authentication", "InvocationConfig") if arguments.get(name) is not None]
    if not given:
        raise BadField("The field 'Authentication' or 'InvocationConfig' is required but was missing")
    if len(given) == 2:
        raise BadField("The fields 'Authentication' and 'InvocationConfig' cannot be used together")


def connection_of(arguments: dict[str, Any]) -> str:
    """The ARN of the connection, of parameters that were checked."""
    found = arguments.get("Authentication") or arguments["InvocationConfig"]
    return str(found["ConnectionArn"])


def _anything(_: Any) -> bool:
    return True


def _endpoint(value: Any) -> bool:
    return isinstance(value, str) and is_safe(value) and "@" not in value.split("/")[2] and "#" not in value


def _connection(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"ConnectionArn"} and isinstance(value["ConnectionArn"], str)


def _headers(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    return all(_NAME.fullmatch(name) and all(_line(each) for each in values_of(item)) for name, item in value.items())


def _line(value: Any) -> bool:
    return value is None or isinstance(value, (int, float)) or (isinstance(value, str) and value.isprintable())


def _query(value: Any) -> bool:
    if isinstance(value, str):
        return True
    if isinstance(value, list):
        return all(isinstance(item, str) for item in value)
    return isinstance(value, dict) and not any(
        isinstance(each, (dict, list)) for item in value.values() for each in values_of(item)
    )


def _transform(value: Any) -> bool:
    if not isinstance(value, dict) or value.keys() - {"RequestBodyEncoding", "RequestEncodingOptions"}:
        return False
    if value.get("RequestBodyEncoding", "NONE") not in ("NONE", "URL_ENCODED"):
        return False
    options = value.get("RequestEncodingOptions")
    if options is None:
        return True
    return (
        isinstance(options, dict)
        and not options.keys() - {"ArrayFormat"}
        and (options.get("ArrayFormat", "INDICES") in FORMATS)
    )


def values_of(value: Any) -> list[Any]:
    """What may be one or several, as several."""
    return value if isinstance(value, list) else [value]


_CHECKS = {
    "ApiEndpoint": _endpoint,
    "Method": lambda value: isinstance(value, str) and value in _METHODS,
    "Authentication": _connection,
    "InvocationConfig": _connection,
    "Headers": _headers,
    "QueryParameters": _query,
    "Transform": _transform,
}
