"""Mapping templates: what `$input`, `$context`, `$util` and `$stageVariables` are in them.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html. A reference without a value
is an empty text there, also where it is compared, which Velocity itself does not do.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import quote_plus, unquote_plus

import msgspec

from cumulet.expressions import jsonpath, velocity
from cumulet.expressions.velocity import Host, JsonList, NoSuchMethod, VelocityError, to_json, to_text
from cumulet.expressions.velocity.methods import call
from cumulet.expressions.velocity.values import weight
from cumulet.services.apigateway.plane.aside import aside

T = TypeVar("T")

MOST_ITERATIONS = 1000
"""Times one `#foreach` goes round; AWS's quota."""
MOST_WORK = 1_000_000
"""Values that all paths of one template may look at."""
_A_PATH = 20
"""What compiling a path costs, beside its characters: templates can make paths."""
_EMPTY = "{}"
"""What a template sees of a request or an answer without a body."""


QUICK = 10_000
"""Steps, and values, of a template that is applied at once: some 10 ms."""
_QUICK_BODY = 131_072
_QUICK_TEXT = 16_384


class TemplateError(ValueError):
    """A template that is none, or that cannot be applied to this request or answer."""


class TakesLong(TemplateError):
    """A template that was to be quick is not."""


async def rendered(work: Callable[[bool], T], body: bytes) -> T:
    """What `work(True)` makes of a template with `quick`; of one that takes long, or of a large body, `work(False)` on a thread."""
    if len(body) <= _QUICK_BODY:
        try:
            return work(True)
        except TakesLong:
            pass
    return await aside(lambda: work(False))


def render(
    text: str,
    *,
    body: str,
    headers: Mapping[str, str],
    query: Mapping[str, str],
    path: Mapping[str, str],
    context: dict[str, Any],
    stage_variables: Mapping[str, str],
    quick: bool = False,
) -> str:
    """The text that a template makes of a request or an answer; raises TemplateError, and TakesLong where it was to be `quick`.

    `context` is the tree of `$context`; templates change it in place, which is how they set `requestOverride` and `responseOverride`.
    """
    if quick and len(text) > _QUICK_TEXT:
        raise TakesLong("a large template")
    references = {
        "input": Input(body, headers, query, path, QUICK if quick else MOST_WORK),
        "context": Branch(context),
        "util": UTIL,
        "stageVariables": dict(stage_variables),
    }
    try:
        return velocity.compile(text).render(
            references, blank=True, loops=MOST_ITERATIONS, steps=QUICK if quick else velocity.MOST_STEPS
        )
    except velocity.TooMuchWork as error:
        raise (TakesLong if quick else TemplateError)(str(error)) from error
    except (VelocityError, jsonpath.JsonPathError) as error:
        raise TemplateError(str(error)) from error


class Input(Host):
    """`$input`: the body, and the parameters of the request."""

    def __init__(
        self,
        body: str,
        headers: Mapping[str, str],
        query: Mapping[str, str],
        path: Mapping[str, str],
        work: int = MOST_WORK,
    ) -> None:
        self.body = body or _EMPTY
        self.headers = headers
        self.query = query
        self.path = path
        self._document: Any = self
        self._work = work

    def get(self, name: str) -> Any:
        return self.body if name == "body" else None

    def call(self, name: str, arguments: list[Any]) -> Any:
        if name == "params" and len(arguments) <= 1:
            return self._param(to_text(arguments[0])) if arguments else self._params()
        if name in {"path", "json"} and len(arguments) == 1:
            found = self._find(to_text(arguments[0]))
            if name == "path":
                return found
            self._work -= 2 * weight(found, max(self._work, 0))
            if self._work < 0:
                raise velocity.TooMuchWork("the template takes too much work")
            return to_json("" if found is None else found)
        raise NoSuchMethod(name)

    def _params(self) -> dict[str, Any]:
        return {"path": dict(self.path), "querystring": dict(self.query), "header": dict(self.headers)}

    def _param(self, name: str) -> str | None:
        """Of the path, else the query, else the headers, whose names have no case."""
        for values in (self.path, self.query, self.headers):
            if name in values:
                return values[name]
        lowered = name.lower()
        return next((value for header, value in self.headers.items() if header.lower() == lowered), None)

    def _find(self, text: str) -> Any:
        if self._work < 0:
            raise velocity.TooMuchWork("the template takes too much work")
        if self._document is self:
            self._document = parse_json(self.body, otherwise=self.body)
        self._work -= _A_PATH + len(text)
        try:
            found, self._work = jsonpath.compile(text).read_within(self._document, self._work)
        except jsonpath.PathNotFound:
            return None
        except jsonpath.TooMuchWork as error:
            raise velocity.TooMuchWork(str(error)) from error
        return found if not isinstance(found, list) or isinstance(found, JsonList) else JsonList(found)


class Branch(Host):
    """A part of `$context`. It is printed as nothing."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values

    def get(self, name: str) -> Any:
        return _branch(self.values.get(name))

    def call(self, name: str, arguments: list[Any]) -> Any:
        return _branch(call(self.values, name, arguments))


def _branch(value: Any) -> Any:
    return Branch(value) if isinstance(value, dict) else value


def parse_json(text: str, *, otherwise: Any = None) -> Any:
    """JSON as templates see it: lists are printed as JSON again. What is no JSON gives `otherwise`."""
    try:
        return _listed(msgspec.json.decode(text.encode("utf-8", "surrogatepass")))
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return otherwise


def _listed(value: Any) -> Any:
    if isinstance(value, list):
        return JsonList(map(_listed, value))
    if isinstance(value, dict):
        for name, inner in value.items():
            if isinstance(inner, list | dict):
                value[name] = _listed(inner)
    return value


_ESCAPES = {
    **{chr(code): f"\\u{code:04X}" for code in (*range(32), 127)},
    "\b": "\\b",
    "\n": "\\n",
    "\t": "\\t",
    "\f": "\\f",
    "\r": "\\r",
    "'": "\\'",
    '"': '\\"',
    "\\": "\\\\",
    "/": "\\/",
}
_ESCAPED = str.maketrans(_ESCAPES)
_ASCII = 128


def escape_javascript(value: Any) -> str:
    """A text as JavaScript's rules for texts want it, in ASCII."""
    text = to_text(value).translate(_ESCAPED)
    if text.isascii():
        return text
    units = memoryview(text.encode("utf-16-le", "surrogatepass")).cast("H")
    return "".join(chr(unit) if unit < _ASCII else f"\\u{unit:04X}" for unit in units)


def _parsed(value: Any) -> Any:
    failed = object()
    found = parse_json(to_text(value), otherwise=failed)
    if found is failed:
        raise VelocityError("parseJson was given a text that is no JSON")
    return found


def _url_encoded(value: Any) -> str:
    return quote_plus(to_text(value), safe="*").replace("~", "%7E")


def _encoded(value: Any) -> str:
    return base64.b64encode(to_text(value).encode("utf-8", "surrogatepass")).decode()


def _decoded(value: Any) -> str:
    try:
        return base64.b64decode(to_text(value), validate=False).decode("utf-8", "replace")
    except (binascii.Error, ValueError) as error:
        raise VelocityError(f"base64Decode was given a text that is no base64: {error}") from error


class Util(Host):
    """`$util`: functions on texts. Of a reference without a value they give an empty text."""

    _FUNCTIONS: Mapping[str, Callable[[Any], Any]] = {
        "escapeJavaScript": escape_javascript,
        "parseJson": _parsed,
        "urlEncode": _url_encoded,
        "urlDecode": lambda value: unquote_plus(to_text(value), errors="replace"),
        "base64Encode": _encoded,
        "base64Decode": _decoded,
    }

    def call(self, name: str, arguments: list[Any]) -> Any:
        function = self._FUNCTIONS.get(name)
        if function is None or len(arguments) != 1:
            raise NoSuchMethod(name)
        return "" if arguments[0] is None else function(arguments[0])


UTIL = Util()
