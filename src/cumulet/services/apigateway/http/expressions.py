"""Selection and mapping expressions: `$request.header.x`, `${request.body.action}/static`, `$context.stage`.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-parameter-mapping.html
https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-selection-expressions.html
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import msgspec

from cumulet.services.apigateway.plane.context import as_text

_PLACE = re.compile(
    r"\$\{([A-Za-z][^{}]*)\}|\$((?:request|response|integration|context|stageVariables|message)(?:\.[A-Za-z0-9_\-\[\]*]+)*)"
)

Find = Callable[[tuple[str, ...]], Any]
"""The value at a path such as `("request", "header", "x-id")`; None where there is none."""


class Expression:
    """An expression, taken apart once. `static` is its text when nothing in it depends on a request."""

    __slots__ = ("_parts", "static", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        parts: list[str | tuple[str, ...]] = []
        at = 0
        for match in _PLACE.finditer(text):
            if match.start() > at:
                parts.append(text[at : match.start()])
            parts.append(_path(match[1] or match[2]))
            at = match.end()
        if at < len(text):
            parts.append(text[at:])
        self._parts = parts
        self.static = all(isinstance(part, str) for part in parts)

    @property
    def paths(self) -> list[tuple[str, ...]]:
        """What it asks for."""
        return [part for part in self._parts if not isinstance(part, str)]

    def value(self, find: Find) -> Any:
        """The value of an expression that is one path, else its text; None when nothing is there."""
        if len(self._parts) == 1 and not isinstance(self._parts[0], str):
            return find(self._parts[0])
        return self.evaluate(find)

    def evaluate(self, find: Find) -> str | None:
        """Its text; None when nothing that it asks for is there."""
        if self.static:
            return self.text
        texts = []
        found = False
        for part in self._parts:
            if isinstance(part, str):
                texts.append(part)
                continue
            value = find(part)
            if value is not None:
                found = True
                texts.append(as_text(value))
        return "".join(texts) if found else None


def _path(text: str) -> tuple[str, ...]:
    """Names of a path. What follows a body stays one name, a JSONPath; so do names of headers, parameters and variables."""
    names = text.split(".")
    if names[0] in ("request", "response", "integration", "message") and len(names) > 2:
        deep = 3 if names[0] == "integration" and len(names) > 3 else 2
        return (*names[:deep], ".".join(names[deep:]))
    if names[0] == "stageVariables":
        return (names[0], ".".join(names[1:]))
    return tuple(names)


@lru_cache(8192)
def compile(text: str) -> Expression:
    """The compiled expression; the same for the same text."""
    return Expression(text)


def in_body(body: bytes | str, path: str) -> Any:
    """What a JSONPath without its `$.` finds in a body; None when the body is no JSON or it leads nowhere."""
    from cumulet.expressions import jsonpath  # noqa: PLC0415  most expressions ask for no body

    try:
        return jsonpath.compile(f"$.{path}" if not path.startswith("[") else f"${path}").read(msgspec.json.decode(body))
    except (msgspec.DecodeError, RecursionError, jsonpath.PathNotFound, jsonpath.JsonPathError, UnicodeDecodeError):
        return None
