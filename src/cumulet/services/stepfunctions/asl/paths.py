"""JSONPath as the fields of a state use it: over the input (``$``), the context object (``$$``) and variables (``$name``)."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from cumulet.expressions import jsonpath
from cumulet.services.stepfunctions.asl.scope import Scope

# `$.a.b` and `$name.a.b`: most paths there are; read without the path engine.
_PLAIN = re.compile(r"(?:\.[A-Za-z_][A-Za-z0-9_]*)*")
_ROOT = re.compile(r"\$\$(?=$|[.\[])|\$(?=$|[.\[])|\$([A-Za-z_][A-Za-z0-9_]*)(?=$|[.\[])")

_MISSING: Any = object()

# Values that one path may look at on the event loop, some microseconds each.
_WORK_HERE = 3_000


class BadPath(Exception):
    """The text is no path; ``str()`` says why."""


class NotFound(Exception):
    """The path leads nowhere in this document; ``str()`` is the path engine's message ("No results for path: ...")."""


class Source:
    """A compiled path. ``variable``: the name it starts from, or None; ``context``: it reads the context object."""

    __slots__ = ("_names", "_path", "context", "definite", "text", "variable")

    def __init__(self, text: str) -> None:
        root = _ROOT.match(text)
        if root is None:
            raise BadPath(text)
        self.text = text
        self.variable: str | None = root.group(1)
        self.context = root.group(0) == "$$"
        rest = text[root.end() :]
        self._path: Any = None
        self._names: tuple[str, ...] | None = None
        if _PLAIN.fullmatch(rest):
            self._names = tuple(rest.split(".")[1:])
            self.definite = True
        else:
            self._path = _compiled("$" + rest)
            self.definite = self._path.definite

    def _document(self, input: Any, scope: Scope) -> Any:
        if self.context:
            return scope.context
        if self.variable is None:
            return input
        value = scope.variables.get(self.variable, _MISSING)
        if value is _MISSING:
            raise NotFound(f"No results for path: $['{self.variable}']")
        return value

    def read(self, input: Any, scope: Scope) -> Any:
        """The value, or the list of matches of an indefinite path. Raises NotFound."""
        document = self._document(input, scope)
        names = self._names
        if names is not None:
            value = document
            for name in names:
                try:
                    value = value[name]
                except (KeyError, TypeError, IndexError):
                    raise NotFound(self._missing(document)) from None
            return value
        patience = scope.patience
        patience.check()
        try:
            if not patience.here:
                return self._path.read(document)
            return self._path.read_within(document, _WORK_HERE)[0]
        except jsonpath.TooMuchWork as failed:
            patience.leave()
            raise NotFound(str(failed)) from None
        except jsonpath.PathNotFound as missing:
            raise NotFound(str(missing)) from None
        except jsonpath.JsonPathError as wrong:
            raise NotFound(str(wrong)) from None

    def _missing(self, document: Any) -> str:
        """What Jayway says where a plain path ends early."""
        names = self._names or ()
        walked = "$"
        for name in names[:-1]:
            if not isinstance(document, dict):
                return _no_object(name, walked, document)
            walked += f"['{name}']"
            if name not in document:
                return f"Missing property in path {walked}"
            document = document[name]
        if names and not isinstance(document, dict):
            return _no_object(names[-1], walked, document)
        return f"No results for path: {walked}" + (f"['{names[-1]}']" if names else "")


def _no_object(name: str, walked: str, value: Any) -> str:
    return (
        f"Expected to find an object with property ['{name}'] in path {walked} but found '{_java(value)}'. This is not a "
        "json object according to the JsonProvider: 'com.jayway.jsonpath.spi.json.JacksonJsonNodeJsonProvider'."
    )


def _java(value: Any) -> str:
    """The class that Jayway's JSON library has for ``value``."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "com.fasterxml.jackson.databind.node.BooleanNode"
    if isinstance(value, (int, float)):
        return f"com.fasterxml.jackson.databind.node.{'Int' if isinstance(value, int) else 'Double'}Node"
    return f"com.fasterxml.jackson.databind.node.{'Text' if isinstance(value, str) else 'Array'}Node"


def _compiled(text: str) -> Any:
    try:
        return jsonpath.compile(text)
    except jsonpath.JsonPathError as wrong:
        raise BadPath(str(wrong)) from None


@lru_cache(maxsize=4096)
def source(text: str) -> Source:
    """The compiled path; raises BadPath."""
    return Source(text)


@lru_cache(maxsize=4096)
def is_reference(text: str) -> bool:
    """Whether ``text`` is a reference path from ``$``: it leads to one place, by names and indexes only."""
    try:
        reference(text)
    except BadPath:
        return False
    return True


def reference(text: str) -> jsonpath.Reference:
    """The place that a ResultPath names; raises BadPath."""
    root = _ROOT.match(text)
    if root is None or root.group(0) != "$":
        raise BadPath("Value is not a Reference Path")
    try:
        return jsonpath.reference(text)
    except jsonpath.JsonPathError as wrong:
        raise BadPath(str(wrong)) from None
