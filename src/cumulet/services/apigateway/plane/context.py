"""`$context`: what an API knows of a request, and access logs made of it.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html#context-variable-reference
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import msgspec

_VARIABLE = re.compile(r"\$context((?:\.[A-Za-z0-9_-]+)+)|\$context\{((?:[A-Za-z0-9_-]+)(?:\.[A-Za-z0-9_-]+)*)\}")
_BREAKS = re.compile(r"[\r\n\0]")
ABSENT = "-"
"""What an access log has for a variable without value."""

Tree = Mapping[str, Any]
"""Variables by name, in mappings where names have dots: `{"identity": {"sourceIp": "..."}}`."""


def look_up(tree: Tree, path: tuple[str, ...]) -> Any:
    """The variable at a path; None when there is none. A name may itself hold dots, as those of claims do."""
    found: Any = tree
    for place, name in enumerate(path):
        if not isinstance(found, Mapping):
            return None
        if name in found:
            found = found[name]
        elif place and (whole := ".".join(path[place:])) in found:
            return found[whole]
        else:
            return None
    return found


def as_text(value: Any) -> str:
    """A variable as text: JSON of what is no scalar."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value) if isinstance(value, int | float) else msgspec.json.encode(value).decode()


class LogFormat:
    """The format of an access log, taken apart once."""

    def __init__(self, text: str) -> None:
        self._parts: list[str | tuple[str, ...]] = []
        at = 0
        for match in _VARIABLE.finditer(text):
            self._parts.append(text[at : match.start()])
            self._parts.append(tuple((match[1] or "." + match[2])[1:].split(".")))
            at = match.end()
        self._parts.append(text[at:])

    def render(self, tree: Tree) -> str:
        """One line, without its end: what clients sent cannot begin another."""
        out = []
        for part in self._parts:
            if isinstance(part, str):
                out.append(part)
                continue
            text = as_text(look_up(tree, part))
            out.append(_BREAKS.sub(" ", text) if text else ABSENT)
        return "".join(out)


@lru_cache(1024)
def log_format(text: str) -> LogFormat:
    """The compiled format; the same for the same text."""
    return LogFormat(text)


def request_time(now: float) -> str:
    """`$context.requestTime`: 09/Apr/2015:12:34:56 +0000."""
    return _second(int(now))


@lru_cache(8)
def _second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")
