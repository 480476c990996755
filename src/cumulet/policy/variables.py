"""Policy variables: `${aws:username}`, `${aws:PrincipalTag/team, 'none'}`, and the escapes `${*}`, `${?}`, `${$}`."""

import re
from collections.abc import Callable

from cumulet.policy.patterns import literal, wildcards

Keys = Callable[[str], tuple[str, ...] | None]
"""Looks up a condition key, by its lower-case name, in a request's context; None when the request has no such key."""

_VARIABLE = re.compile(r"\$\{\s*([^},]*?)\s*(?:,\s*'([^']*)'\s*)?\}")
_ESCAPES = {"*": "*", "?": "?", "$": "$"}


class Template:
    """Text of a policy, cut at its variables. `fixed` is the prepared pattern when there are none."""

    __slots__ = ("_parts", "fixed", "names", "text")

    def __init__(self, text: str, *, variables: bool, globs: bool) -> None:
        self.text = text
        prepare = wildcards if globs else literal
        parts: list[str | tuple[str, str | None]] = []
        at = 0
        for found in _VARIABLE.finditer(text) if variables and "${" in text else ():
            parts.append(prepare(text[at : found.start()]))
            name, default = found[1], found[2]
            if name in _ESCAPES:
                parts.append(_ESCAPES[name])
            else:
                parts.append((name.lower(), default))
            at = found.end()
        parts.append(prepare(text[at:]))
        self.names = [part[0] for part in parts if isinstance(part, tuple)]
        self._parts = parts
        self.fixed: str | None = None if self.names else "".join(part for part in parts if isinstance(part, str))

    def fill(self, keys: Keys) -> str | None:
        """The prepared pattern for one request; None when a variable has neither a single value nor a default."""
        filled = []
        for part in self._parts:
            if isinstance(part, str):
                filled.append(part)
                continue
            name, default = part
            values = keys(name)
            if values is not None and len(values) == 1:
                filled.append(literal(values[0]))
            elif values is None and default is not None:
                filled.append(literal(default))
            else:
                return None
        return "".join(filled)
