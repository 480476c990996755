"""A template's parts, as data."""

from typing import Any, Union

import msgspec


class VelocityError(ValueError):
    """A template that is none, or one that cannot go on. `line` and `column` count from 1 (0: not known)."""

    def __init__(self, message: str, line: int = 0, column: int = 0) -> None:
        super().__init__(f"{message} at line {line}, column {column}" if line else message)
        self.message = message
        self.line = line
        self.column = column


class Literal(msgspec.Struct, frozen=True):
    """A number, a truth value, a text without references."""

    value: Any


class Interpolated(msgspec.Struct, frozen=True):
    """A text in double quotes with a template inside."""

    parts: tuple["Node", ...]


class Listed(msgspec.Struct, frozen=True):
    """`[1, $a, "b"]`."""

    elements: tuple["Expression", ...]


class Mapped(msgspec.Struct, frozen=True):
    """`{"a": 1, $b: 2}`."""

    members: tuple[tuple["Expression", "Expression"], ...]


class Range(msgspec.Struct, frozen=True):
    """`[1..$n]`, whole numbers up or down."""

    first: "Expression"
    last: "Expression"


class Operation(msgspec.Struct, frozen=True):
    """Two sides and what is done with them, by its sign."""

    sign: str
    left: "Expression"
    right: "Expression"


class Not(msgspec.Struct, frozen=True):
    """`!$a`."""

    inner: "Expression"


class Property(msgspec.Struct, frozen=True):
    """`.name` of a reference."""

    name: str


class Method(msgspec.Struct, frozen=True):
    """`.name(...)` of a reference."""

    name: str
    arguments: tuple["Expression", ...]


class Index(msgspec.Struct, frozen=True):
    """`[...]` of a reference."""

    key: "Expression"


class Reference(msgspec.Struct, frozen=True):
    """`$name.x(...)[0]`; `text` is how it was written, `escapes` the number of backslashes in front."""

    name: str
    steps: tuple[Property | Method | Index, ...]
    quiet: bool
    text: str
    escapes: int
    line: int
    column: int


class Set(msgspec.Struct, frozen=True):
    """`#set($target = value)`."""

    target: Reference
    value: "Expression"


class If(msgspec.Struct, frozen=True):
    """`#if ... #elseif ... #else ... #end`: conditions with their blocks, and the last block."""

    branches: tuple[tuple["Expression", "Block"], ...]
    otherwise: "Block"


class Foreach(msgspec.Struct, frozen=True):
    """`#foreach($name in items) ... #end`."""

    name: str
    items: "Expression"
    block: "Block"


class Define(msgspec.Struct, frozen=True):
    """`#define($name) ... #end`: a block that is rendered where `$name` is."""

    name: str
    block: "Block"


class Macro(msgspec.Struct, frozen=True):
    """`#macro(name $a $b) ... #end`."""

    name: str
    parameters: tuple[str, ...]
    block: "Block"


class Call(msgspec.Struct, frozen=True):
    """`#name(arguments)`, with a block as `#@name(arguments) ... #end`; `text` is what is printed when there is no such macro."""

    name: str
    arguments: tuple["Expression", ...]
    text: str
    block: Union["Block", None]
    line: int


class Evaluate(msgspec.Struct, frozen=True):
    """`#evaluate(text)`: a text rendered as a template."""

    value: "Expression"


class Break(msgspec.Struct, frozen=True):
    """`#break`: leave the loop; `everything`: `#stop`."""

    everything: bool


Expression = Literal | Interpolated | Listed | Mapped | Range | Operation | Not | Reference
Node = str | Reference | Set | If | Foreach | Define | Macro | Call | Evaluate | Break
Block = tuple[Node, ...]
