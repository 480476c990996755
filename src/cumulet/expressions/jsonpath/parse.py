"""The grammar of paths, as Jayway's library reads them: what Step Functions and API Gateway use."""

import re

from cumulet.expressions.jsonpath.cursor import Cursor
from cumulet.expressions.jsonpath.tree import (
    Every,
    Filter,
    Function,
    Indexes,
    JsonPathError,
    Names,
    Operand,
    Scan,
    Slice,
    Step,
    Steps,
)

LONGEST = 10_000
"""Characters in a path."""
_MOST_STEPS = 200
_LARGEST_INDEX = 2**31 - 1
FUNCTIONS = frozenset(
    "avg stddev sum min max concat length size append keys first last index".split()  # noqa: SIM905  (it is read as a list)
)

_NAME = re.compile(r"[^\s.\[(*][^ .\[(]*")
_PLAIN_NAME = re.compile(r"[^\s.\[()*<>=~!&|,\]][^\s.\[()<>=~!&|,\]]*")
_NUMBERS = re.compile(r"\[[\s,:\d-]+\]")
_SLICE = re.compile(r"\s*(-?\d+)?\s*:\s*(-?\d+)?\s*(?::\s*(?:-?\d+)?\s*)?")


def parse(text: str) -> Steps:
    """The steps of a path; raises JsonPathError. A text without `$` in front is read as if it had `$.`, as Jayway does."""
    if len(text) > LONGEST:
        raise JsonPathError(f"a path has at most {LONGEST} characters", LONGEST)
    cursor = Cursor(text.rstrip())
    cursor.blanks()
    if not cursor.here:
        raise cursor.fail("a path cannot be empty")
    if cursor.here not in "$@":
        cursor = Cursor("$." + cursor.text[cursor.at :])
    steps = steps_at(cursor, whole=True)
    if cursor.at < len(cursor.text):
        raise cursor.fail(f"expected the end of the path, found {cursor.described()}")
    return steps


def steps_at(cursor: Cursor, *, whole: bool) -> Steps:
    """The path that begins with the `$` or `@` at the cursor. If not `whole`, names in it end where a filter goes on."""
    relative = cursor.here == "@"
    cursor.at += 1
    if cursor.here and cursor.here not in ".[" and whole:
        raise cursor.fail(f"Illegal character at position {cursor.at} expected '.' or '['")
    return Steps(relative, _steps(cursor, whole=whole))


def _steps(cursor: Cursor, *, whole: bool) -> tuple[Step, ...]:
    steps: list[Step] = []
    start = cursor.at
    while cursor.here and cursor.here in ".[":
        if cursor.here == ".":
            _dot(cursor, steps)
        if cursor.here == "[":
            steps.append(_bracket(cursor))
        elif cursor.here == "*":
            cursor.at += 1
            steps.append(Every())
        else:
            steps.append(_named(cursor, whole=whole))
        if len(steps) > _MOST_STEPS:
            raise cursor.fail(f"a path has at most {_MOST_STEPS} steps", start)
    return tuple(steps)


def _dot(cursor: Cursor, steps: list[Step]) -> None:
    if cursor.text.startswith("..", cursor.at):
        steps.append(Scan())
        cursor.at += 2
    else:
        cursor.at += 1
    if not cursor.here:
        raise cursor.fail("Path must not end with a '.' or '..'")
    if cursor.here == ".":
        raise cursor.fail(f"Character '.' on position {cursor.at} is not valid.")


def _named(cursor: Cursor, *, whole: bool) -> Step:
    found = (_NAME if whole else _PLAIN_NAME).match(cursor.text, cursor.at)
    if found is None:
        raise cursor.fail(f"expected a name, found {cursor.described()}")
    start, name = cursor.at, found.group()
    cursor.at = found.end()
    if cursor.here == "(":
        return _function(cursor, name, start)
    if whole and cursor.here == " ":
        raise cursor.fail(
            f"Use bracket notion ['my prop'] if your property contains blank characters. position: {start}"
        )
    return Names((name,))


def _function(cursor: Cursor, name: str, start: int) -> Function:
    from cumulet.expressions.jsonpath.parse_filters import operand  # noqa: PLC0415  (filters contain paths, and these filters)

    if name not in FUNCTIONS:
        raise cursor.fail(f"Function with name: {name} does not exist.", start)
    cursor.at += 1
    parameters: list[Operand] = []
    while not cursor.take(")"):
        if parameters:
            cursor.expect(",", "between parameters")
        cursor.blanks()
        if not cursor.here:
            raise cursor.fail(f"Arguments to function: '{name}' are not closed properly.")
        parameters.append(operand(cursor))
    return Function(name, tuple(parameters))


def _bracket(cursor: Cursor) -> Step:
    start = cursor.at
    cursor.at += 1
    cursor.blanks()
    if cursor.here and cursor.here in "'\"":
        return _names(cursor)
    if cursor.take("*"):
        cursor.expect("]", "after '*'")
        return Every()
    if cursor.here == "?":
        return _filter(cursor)
    found = _NUMBERS.match(cursor.text, start)
    if found is None:
        raise cursor.fail(f"Could not parse token starting at position {start}. Expected ?, ', 0-9, * ", start)
    cursor.at = found.end()
    return _numbers(cursor, found.group()[1:-1], start)


def _names(cursor: Cursor) -> Names:
    names: list[str] = []
    while True:
        cursor.blanks()
        if not cursor.here or cursor.here not in "'\"":
            raise cursor.fail(f"expected a name in quotes, found {cursor.described()}")
        names.append(cursor.quoted())
        if cursor.take("]"):
            return Names(tuple(names))
        cursor.expect(",", "or ']' after a name")


def _numbers(cursor: Cursor, text: str, start: int) -> Indexes | Slice:
    if ":" in text:
        ends = _SLICE.fullmatch(text)
        if ends is None or ends.group(1) is ends.group(2) is None:
            raise cursor.fail(f"Failed to parse SliceOperation: {text}", start)
        return Slice(*(None if end is None else _number(cursor, end, start) for end in ends.groups()))
    return Indexes(tuple(_number(cursor, number, start) for number in text.split(",")))


def _number(cursor: Cursor, text: str, start: int) -> int:
    try:
        number = int(text)
    except ValueError:
        raise cursor.fail(f"Failed to parse token in ArrayIndexOperation: {text}", start) from None
    if abs(number) > _LARGEST_INDEX:
        raise cursor.fail(f"{text.strip()} is too large for an index", start)
    return number


def _filter(cursor: Cursor) -> Filter:
    from cumulet.expressions.jsonpath.parse_filters import test  # noqa: PLC0415  (as above)

    start = cursor.at
    cursor.at += 1
    cursor.expect("(", "after '?'")
    tree = test(cursor)
    cursor.expect(")", "at the end of a filter")
    cursor.expect("]", "at the end of a filter")
    return Filter(tree, "[" + cursor.text[start : cursor.at])
