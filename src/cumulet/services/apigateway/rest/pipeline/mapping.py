"""Parameter mappings: what of a request goes where in the integration's, and of its answer where in the client's.

https://docs.aws.amazon.com/apigateway/latest/developerguide/request-response-data-mappings.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from cumulet.expressions import jsonpath
from cumulet.services.apigateway.plane.context import as_text, look_up

_STAGE_VARIABLE = re.compile(r"\$\{stageVariables\.([A-Za-z0-9_]+)\}")
_PATH_PARAMETER = re.compile(r"\{([A-Za-z0-9._$+:-]+)\}")


class Sources(Struct):
    """What a mapping may read, each by a function since most mappings read one."""

    headers: Callable[[str], list[str]]
    query: Callable[[str], list[str]]
    path: Callable[[str], str | None]
    body: Callable[[], Any]
    context: Callable[[], Mapping[str, Any]]
    stage_variables: Mapping[str, str]


Read = Callable[[Sources], str | list[str] | None]


class Mapping_(Struct, frozen=True):  # noqa: N801  `Mapping` is taken
    """One mapping: `place` is header, querystring or path; `name` what is set there."""

    place: str
    name: str
    read: Read


def compile_mappings(parameters: Mapping[str, str] | None, source: str) -> tuple[Mapping_, ...]:
    """The mappings of an integration or of one of its responses; `source` is `method.request` or `integration.response`."""
    found = []
    for target, expression in (parameters or {}).items():
        place, _, name = target.split(".", 2)[2].partition(".")
        found.append(Mapping_(place, name, _reader(expression, source)))
    return tuple(found)


def _reader(expression: str, source: str) -> Read:
    if expression.startswith("'"):
        constant = expression[1:-1] if expression.endswith("'") and len(expression) > 1 else expression[1:]
        return lambda _: constant
    if expression.startswith("context."):
        path = tuple(expression[8:].split("."))
        return lambda sources: _found(look_up(sources.context(), path))
    if expression.startswith("stageVariables."):
        variable = expression[15:]
        return lambda sources: sources.stage_variables.get(variable)
    place, _, name = expression.removeprefix(source + ".").partition(".")
    if place in {"header", "multivalueheader"}:
        return _values("headers", name, every=place != "header")
    if place in {"querystring", "multivaluequerystring"}:
        return _values("query", name, every=place != "querystring")
    if place == "path":
        return lambda sources: sources.path(name)
    return _body(expression.removeprefix(source + ".body"))


def _values(of: str, name: str, *, every: bool) -> Read:
    def read(sources: Sources) -> str | list[str] | None:
        values: list[str] = getattr(sources, of)(name)
        if not values:
            return None
        return values if every else values[-1]

    return read


def _body(rest: str) -> Read:
    try:
        path = jsonpath.compile("$" + rest)
    except jsonpath.JsonPathError:
        return lambda _: None

    def read(sources: Sources) -> str | None:
        try:
            return _found(path.read(sources.body()))
        except jsonpath.PathNotFound:
            return None

    return read


def _found(value: Any) -> str | None:
    return None if value is None or value == "" else as_text(value)


def fill(uri: str, variables: Mapping[str, str], path: Mapping[str, str] | None = None) -> str:
    """A URI with stage variables, and with path parameters (encoded already), put in. Unknown variables become nothing."""
    if "${" in uri:
        uri = _STAGE_VARIABLE.sub(lambda found: variables.get(found[1], ""), uri)
    if path is not None and "{" in uri:
        uri = _PATH_PARAMETER.sub(lambda found: path.get(found[1].rstrip("+"), found[0]), uri)
    return uri


def parse_json(body: bytes | str) -> Any:
    """The document; None when it is none."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
