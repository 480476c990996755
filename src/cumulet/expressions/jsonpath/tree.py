"""What a path's text means: its steps, and the tests in its filters, as data."""

from typing import Any, Union

import msgspec


class JsonPathError(ValueError):
    """A text that is no path, or a path that takes too much work. `message` says why, `position` where (from 0; -1 when it runs)."""

    def __init__(self, message: str, position: int = -1) -> None:
        super().__init__(message)
        self.message = message
        self.position = position


class TooMuchWork(JsonPathError):
    """The path looks at more values than it may."""


class Names(msgspec.Struct, frozen=True):
    """`.name`, `['name']`, `['one', 'other']`: members of an object; several at the end of a path make an object of them."""

    names: tuple[str, ...]


class Indexes(msgspec.Struct, frozen=True):
    """`[1]`, `[0, -1]`: elements of an array, from its end when negative."""

    indexes: tuple[int, ...]


class Slice(msgspec.Struct, frozen=True):
    """`[1:]`, `[:2]`, `[1:2]`; Jayway takes no notice of a third number."""

    first: int | None
    beyond: int | None


class Every(msgspec.Struct, frozen=True):
    """`.*`, `[*]`: all members or elements."""


class Scan(msgspec.Struct, frozen=True):
    """`..`: what follows is looked for here and in everything below."""


class Filter(msgspec.Struct, frozen=True):
    """`[?(...)]`: an object, or the elements of an array, for which a test holds. `text` is as it was written."""

    test: "Test"
    text: str


class Function(msgspec.Struct, frozen=True):
    """`.length()`, `.concat($.a, "b")`; its parameters are paths and JSON."""

    name: str
    parameters: tuple["Operand", ...]


Step = Names | Indexes | Slice | Every | Scan | Filter | Function


class Steps(msgspec.Struct, frozen=True):
    """A path: from the document (`$`) or, `relative`, from the value a filter looks at (`@`)."""

    relative: bool
    steps: tuple[Step, ...]


class Literal(msgspec.Struct, frozen=True):
    """A value written in a filter."""

    value: Any


class Pattern(msgspec.Struct, frozen=True):
    """`/expression/flags`."""

    expression: str
    flags: str


Operand = Steps | Literal | Pattern


class Compare(msgspec.Struct, frozen=True):
    """`@.a >= 1`, `@.a in ['x']`; the operator in lower case."""

    left: Operand
    operator: str
    right: Operand


class Exists(msgspec.Struct, frozen=True):
    """`@.a`, which holds for null too; `!@.a` is its opposite."""

    path: Steps
    wanted: bool


class Not(msgspec.Struct, frozen=True):
    """`!(...)`."""

    test: "Test"


class All(msgspec.Struct, frozen=True):
    """`... && ...`."""

    tests: tuple["Test", ...]


class AnyOf(msgspec.Struct, frozen=True):
    """`... || ...`."""

    tests: tuple["Test", ...]


Test = Union[Compare, Exists, Not, All, AnyOf]  # noqa: UP007  (the classes name it before it exists)
