"""CORS configurations: what may be in them."""

from __future__ import annotations

import re

from cumulet.api import apigatewayv2 as api
from cumulet.services.apigateway.http.errors import bad
from cumulet.services.apigateway.http.model import one_of


def checked(given: api.Cors | None) -> api.Cors | None:
    """A configuration with its names as AWS keeps them: header names in small letters. Raises BadRequestException."""
    if given is None:
        return None
    origins = given.allow_origins or []
    if given.allow_credentials and "*" in origins:
        raise bad("Allow-credentials is not supported with wildcard origins.")
    for origin in origins:
        if origin != "*" and not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s/]+", origin):
            raise bad(
                f"Invalid origin specified: {origin}. An origin must be '*' or begin with a scheme such as https://"
            )
    if given.max_age is not None and not -1 <= given.max_age <= 86_400:
        raise bad("Max-age must be between -1 and 86400 seconds.")
    for method in given.allow_methods or []:
        one_of("method", method, ("*", "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"))
    return api.Cors(
        allow_credentials=bool(given.allow_credentials),
        allow_headers=_lower(given.allow_headers),
        allow_methods=given.allow_methods,
        allow_origins=given.allow_origins,
        expose_headers=_lower(given.expose_headers),
        max_age=given.max_age or 0,
    )


def _lower(names: list[str] | None) -> list[str] | None:
    return [name.lower() for name in names] if names is not None else None
