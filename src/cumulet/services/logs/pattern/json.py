"""JSON selectors: `{ $.user.id = 1 && $.tags[0] = "a*" || $.error NOT EXISTS }`."""

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from cumulet.services.logs.pattern.scan import Pattern, Scanner, Test, as_text

_ROOT = re.compile(r"\$")
_STEP = re.compile(
    r"""\.([\w-]+)|\[\s*(?:(\d{1,9})|(\*)|"([^"]*)"|'([^']*)')\s*\]|\.\[\s*(?:"([^"]*)"|'([^']*)')\s*\]"""
)
_IS = re.compile(r"IS\s+(NULL|TRUE|FALSE)\b", re.IGNORECASE)
_NOT_EXISTS = re.compile(r"NOT\s+EXISTS\b", re.IGNORECASE)
_CONSTANTS = {"NULL": None, "TRUE": True, "FALSE": False}
_ANY = object()
_decode = msgspec.json.Decoder().decode

Step = str | int | object


def compile_json(text: str) -> Pattern:
    """A message matches when it is a JSON document for which the expression holds. A missing value equals and differs from nothing."""
    scanner = Scanner(text)
    selectors: dict[str, list[Step]] = {}
    scanner.expect("{")
    test = scanner.logic(lambda: _condition(scanner, selectors))
    scanner.expect("}")
    if not scanner.done():
        raise scanner.error("text after the closing brace")

    def matches(message: str) -> bool:
        document = _document(message)
        return document is not None and test(document)

    def extract(message: str) -> dict[str, str]:
        document = _document(message)
        found = {name: next(_select(document, steps), None) for name, steps in selectors.items()}
        return {name: as_text(value) for name, value in found.items() if not isinstance(value, dict | list | None)}

    return Pattern(matches, extract)


def _document(message: str) -> Any:
    if message.lstrip()[:1] not in ("{", "["):
        return None
    try:
        return _decode(message)
    except (msgspec.DecodeError, RecursionError):
        return None


def _condition(scanner: Scanner, selectors: dict[str, list[Step]]) -> Test:
    scanner.skip()
    start = scanner.at
    steps = _selector(scanner)
    selectors[scanner.text[start : scanner.at]] = steps
    if scanner.take(_NOT_EXISTS):
        return lambda document: next(_select(document, steps), _ANY) is _ANY
    if (constant := scanner.take(_IS)) is not None:
        wanted = _CONSTANTS[constant.split()[1].upper()]
        return lambda document: any(value is wanted for value in _select(document, steps))
    return _scalar_test(steps, scanner.comparison())


def _scalar_test(steps: list[Step], compare: Test) -> Test:
    def test(document: Any) -> bool:
        return any(not isinstance(value, dict | list) and compare(value) for value in _select(document, steps))

    return test


def _selector(scanner: Scanner) -> list[Step]:
    if scanner.take(_ROOT) is None:
        raise scanner.error("expected a selector such as $.name")
    steps: list[Step] = []
    while (found := _STEP.match(scanner.text, scanner.at)) is not None:
        scanner.at = found.end()
        name, index, star, *keys = found.groups()
        if star:
            steps.append(_ANY)
        elif index is not None:
            steps.append(int(index))
        else:
            steps.append(next(key for key in (name, *keys) if key is not None))
    if not steps:
        raise scanner.error("expected a property after $")
    return steps


def _select(value: Any, steps: list[Step]) -> Iterator[Any]:
    """The values that a selector reaches: at most one, but for `[*]`."""
    for number, step in enumerate(steps):
        if step is _ANY:
            if isinstance(value, list):
                for item in value:
                    yield from _select(item, steps[number + 1 :])
            return
        if isinstance(step, str):
            if not isinstance(value, dict) or step not in value:
                return
            value = value[step]
        else:
            assert isinstance(step, int)
            if not isinstance(value, list) or step >= len(value):
                return
            value = value[step]
    yield value
