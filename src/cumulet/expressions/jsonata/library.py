"""The JSONata library, with all that it does differently from AWS put right here, and nowhere else.

* AWS's functions that JSONata does not have: ``$partition $range $hash $random $uuid $parse``; ``$eval`` does not exist.
* The library cannot tell a function from an empty string in its JSON: such a result is looked at twice.
* Messages are given AWS's words (those of the reference implementation).

Only the library and the standard library are imported, so a process of its own can run this file (``child.py``).
"""

from __future__ import annotations

import hashlib
import json
import math
import random as random_module
import re
import threading
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import jsonatapy

# As AWS: an expression may nest 100 evaluations, and hold some hundred thousand values (it refuses 500,000).
_DEPTH = 100
_SEQUENCE = 400_000
_RESULT = 7_000_000  # characters of JSON; AWS gives up at as many bytes

_DIGESTS = {"MD5": "md5", "SHA-1": "sha1", "SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512"}


_NOT_FITTING = 'T0410: Argument {} of function "{}" does not match function signature'


class JsonataError(Exception):
    """The expression is wrong, or failed. ``code`` is JSONata's ("T1006"), "" where a bound was met."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class TooLong(JsonataError):
    """The evaluation took longer than it may."""

    def __init__(self) -> None:
        super().__init__("", "Expression evaluation timeout: Check for infinite loop")


class TooMuch(JsonataError):
    """The evaluation held more than it may."""

    def __init__(self) -> None:
        super().__init__("", "Expression evaluation memory limit exceeded: Check for excessive memory usage")


_TOO_DEEP = "Stack overflow error: Check for non-terminating recursive function. Consider rewriting as tail-recursive."


class _Here(threading.local):
    """What the functions of the evaluation under way draw from."""

    random: random_module.Random
    millis: int


_here = _Here()


def _number(value: Any, index: int, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(_NOT_FITTING.format(index, name))
    return value


def _partition(array: Any = None, size: Any = None) -> Any:
    if array is None:
        return None
    items = array if isinstance(array, list) else [array]
    length = math.trunc(_number(size, 2, "partition"))
    if length < 1:
        raise ValueError("D3137: The size of the partitions must be a positive integer")
    return [items[start : start + length] for start in range(0, len(items), length)]


def _range(first: Any = None, last: Any = None, step: Any = None) -> Any:
    start, end, delta = (
        math.trunc(_number(value, index, "range")) for index, value in enumerate((first, last, step), 1)
    )
    if delta == 0:
        raise ValueError("D3137: The increment of a range must not be 0")
    if (end - start) // delta >= _SEQUENCE:
        raise ValueError("D2015: too many")
    numbers = range(start, end + (1 if delta > 0 else -1), delta)
    # A sequence of one value is that value.
    return numbers[0] if len(numbers) == 1 else list(numbers)


def _hash(text: Any = None, algorithm: Any = None) -> Any:
    if not isinstance(text, str) or not isinstance(algorithm, str):
        index = 1 if not isinstance(text, str) else 2
        raise TypeError(_NOT_FITTING.format(index, "hash"))
    if algorithm not in _DIGESTS:
        raise ValueError(f"D3137: The algorithm must be one of {', '.join(_DIGESTS)}")
    return hashlib.new(_DIGESTS[algorithm], text.encode(), usedforsecurity=False).hexdigest()


def _random(seed: Any = None) -> float:
    """With a seed, what Java's generator gives first: AWS's values to the last bit."""
    if seed is None:
        return _here.random.random()
    mask = (1 << 48) - 1
    state = (math.trunc(_number(seed, 1, "random")) ^ 0x5DEECE66D) & mask
    state = (state * 0x5DEECE66D + 0xB) & mask
    high = state >> 22
    state = (state * 0x5DEECE66D + 0xB) & mask
    return float((high << 27) + (state >> 21)) / (1 << 53)


def _uuid() -> str:
    return str(uuid.UUID(int=_here.random.getrandbits(128), version=4))


def _parse(text: Any = None) -> Any:
    if not isinstance(text, str):
        raise TypeError(_NOT_FITTING.format(1, "parse"))
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise ValueError("D3137: The argument of parse is not JSON") from None


def _no_constant(name: str) -> Any:
    """Python's reader knows NaN and Infinity, which JSON does not."""
    raise ValueError(name)


def _no_eval(*_: Any) -> Any:
    raise ValueError("T1006: Attempted to invoke a non-function")


def _millis() -> int:
    return _here.millis


def _now() -> str:
    moment = datetime.fromtimestamp(_millis() / 1000, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


_ADDED: dict[str, Callable[..., Any]] = {
    "hash": _hash,
    "parse": _parse,
    "partition": _partition,
    "range": _range,
    "uuid": _uuid,
}
_REPLACED: dict[str, Callable[..., Any]] = {"eval": _no_eval, "millis": _millis, "now": _now, "random": _random}


def check(text: str) -> None:
    """Raises JsonataError if ``text`` is no expression."""
    try:
        jsonatapy.compile(text)
    except ValueError as wrong:
        raise _error(wrong, text) from None
    except BaseException as broken:  # noqa: BLE001  see _fault
        raise _fault(broken) from None


def _fault(broken: BaseException) -> BaseException:
    """What a fault of the library becomes: it panics, which Python has as something that is no Exception."""
    if type(broken).__name__ != "PanicException":
        return broken
    return JsonataError("", "The expression could not be evaluated")


class Program:
    """An expression over a document ``{"states": ..., "<variable>": ...}`` whose members named in ``names`` it sees as variables.

    It belongs to the thread that made it: the library allows no other to use it, or to drop it. See ``program``.
    """

    __slots__ = ("_compiled", "_text", "_typed")

    def __init__(self, text: str, names: tuple[str, ...]) -> None:
        bound = "".join(f"${name} := $$.`{name}`; " for name in names)
        self._text = f"({bound}(\n{text}\n))" if names else text
        self._compiled = _compile(self._text)
        self._typed: Any = None

    def run(self, document: str, random: random_module.Random, millis: int, timeout: int) -> str | None:
        """The result as JSON, or None for undefined; ``timeout`` in milliseconds. Raises JsonataError."""
        _here.random, _here.millis = random, millis
        try:
            found: str | None = self._compiled.evaluate_json_or_none(
                document, timeout=timeout, max_stack_depth=_DEPTH, max_sequence_length=_SEQUENCE
            )
            function = found == '""' and self._is_function(document, timeout)
        except ValueError as wrong:
            raise _error(wrong, self._text) from None
        except BaseException as broken:  # noqa: BLE001  see _fault
            raise _fault(broken) from None
        if function:
            raise JsonataError("unsupported", "")
        if found is not None and len(found) > _RESULT:
            raise TooMuch
        return found

    def _is_function(self, document: str, timeout: int) -> bool:
        if self._typed is None:
            self._typed = _compile(f"$type({self._text})")
        return bool(
            self._typed.evaluate_json_or_none(
                document, timeout=timeout, max_stack_depth=_DEPTH, max_sequence_length=_SEQUENCE
            )
            == '"function"'
        )


class _Programs(threading.local):
    """Those of one thread."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, tuple[str, ...]], Program] = {}


_programs = _Programs()
_KEPT = 2_000


def program(text: str, names: tuple[str, ...]) -> Program:
    """This thread's program of an expression. Raises JsonataError."""
    known = _programs.known
    found = known.get((text, names))
    if found is None:
        if len(known) >= _KEPT:
            known.clear()
        found = known[text, names] = Program(text, names)
    return found


def _compile(text: str) -> Any:
    try:
        compiled = jsonatapy.compile(text)
        for name, function in _ADDED.items():
            if f"${name}" in text:
                compiled.register(name, function)
        for name, function in _REPLACED.items():
            if f"${name}" in text:
                compiled.register_override(name, function)
    except ValueError as wrong:
        raise _error(wrong, text) from None
    except BaseException as broken:  # noqa: BLE001  see _fault
        raise _fault(broken) from None
    return compiled


_CODED = re.compile(
    r"(?:Parse error: )?(?:Invalid syntax: )?(?:host function raised \w+: )*([STDU]\d{4}): (.*)", re.DOTALL
)
_ARGUMENT = re.compile(r"Argument (\d+) ")
_CALLED = re.compile(r"\$([a-zA-Z]+)\(")
_OPERATOR = re.compile(r"of the (\S+) operator")
_TOKENS = {
    "RightBracket": "]",
    "LeftBracket": "[",
    "RightBrace": "}",
    "LeftBrace": "{",
    "RightParen": ")",
    "LeftParen": "(",
    "Comma": ",",
    "Colon": ":",
    "Semicolon": ";",
    "Dot": ".",
    "Eof": "(end)",
}
_TOKEN = re.compile(r"\b(" + "|".join(_TOKENS) + r")\b")
_WORDED = {
    "S0302": "No terminating / in regular expression",
    "T1006": "Attempted to invoke a non-function",
    "S0207": "Unexpected end of expression",
    "S0101": "String literal must be terminated by a matching quote",
}


def _error(wrong: ValueError, text: str) -> JsonataError:
    """The library's error in AWS's words."""
    found = _CODED.match(str(wrong))
    if found is None and "Unclosed comment" in str(wrong):
        return JsonataError("S0106", "Comment has no closing tag")
    if found is None:
        return JsonataError("D3137", str(wrong))
    code, message = found.group(1), found.group(2)
    if code == "D1012":
        return TooLong()
    if code in ("D1011", "U1001"):
        return JsonataError("", _TOO_DEEP)
    if code in ("D2015", "D2014"):
        return TooMuch()
    return JsonataError(code, _worded(code, message, text))


def _worded(code: str, message: str, text: str) -> str:
    if code in _WORDED:
        return _WORDED[code]
    if code == "T0410":
        argument, called = _ARGUMENT.match(message), set(_CALLED.findall(text))
        if argument is not None and "of function" not in message:
            return _NOT_FITTING[7:].format(argument.group(1), called.pop() if len(called) == 1 else "")
    if code.startswith("S"):
        return _TOKEN.sub(lambda token: f'"{_TOKENS[token.group(1)]}"', message)
    if code.startswith("T200"):
        return _OPERATOR.sub(r'of the "\1" operator', message)
    if code == "D3030":
        return re.sub(r"Cannot convert '(.*)' to number", r'Unable to cast value to a number: "\1"', message)
    return message
