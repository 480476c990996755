"""One rendering of a template: its variables, what it prints, what work it may still do, and the objects it makes."""

from collections.abc import Callable
from typing import Any

from cumulet.expressions.velocity.tree import Expression, VelocityError
from cumulet.expressions.velocity.values import LARGEST, Host, NoSuchMethod

MOST_STEPS = 500_000
"""Parts that one rendering evaluates: some 0.5 seconds."""
_MOST_CALLS = 20


class TooMuchWork(VelocityError):
    """A rendering has used up its steps."""


Value = Callable[["Run"], Any]
Printer = Callable[["Run"], None]


class Argument:
    """What a macro was called with: evaluated where it is used, in the scope of the call."""

    __slots__ = ("node", "scope", "value")

    def __init__(self, node: Expression, value: Value, scope: dict[str, Any]) -> None:
        self.node = node
        self.value = value
        self.scope = scope


class Run:
    """One rendering: variables, what was printed, what work is left. `scope` has a macro's arguments."""

    __slots__ = ("blank", "calls", "left", "loops", "macros", "out", "room", "scope", "variables")

    def __init__(self, variables: dict[str, Any], *, blank: bool, loops: int, steps: int = MOST_STEPS) -> None:
        self.variables = variables
        self.scope: dict[str, Any] = {}
        self.blank = blank
        self.loops = loops
        self.left = steps
        self.room = LARGEST
        self.out: list[str] = []
        self.calls = 0
        self.macros: dict[str, CompiledMacro] = {}

    def step(self) -> None:
        """Count one part; raises TooMuchWork when they are too many."""
        self.left -= 1
        if self.left < 0:
            raise TooMuchWork("the template takes too much work")

    def spend(self, steps: int) -> None:
        """Count work that is more than one part's; raises TooMuchWork when it is too much."""
        self.left -= steps
        if self.left < 0:
            raise TooMuchWork("the template takes too much work")

    def print(self, text: str) -> None:
        """Add to what is printed; raises VelocityError when that is too long."""
        self.room -= len(text)
        if self.room < 0:
            raise VelocityError("the template prints too much")
        self.out.append(text)

    def look_up(self, name: str) -> Any:
        """A variable's value, or None."""
        if name in self.scope:
            found = self.scope[name]
            return found if not isinstance(found, Argument) else self.within(found.scope, found.value)
        return self.variables.get(name)

    def within(self, scope: dict[str, Any], value: Value) -> Any:
        """A value in the scope of a call, from inside of it."""
        mine, self.scope = self.scope, scope
        self.enter()
        try:
            return value(self)
        finally:
            self.scope = mine
            self.calls -= 1

    def enter(self) -> None:
        """Go one level deeper; raises VelocityError when that is too deep."""
        self.calls += 1
        if self.calls > _MOST_CALLS:
            raise VelocityError("macros or defined blocks call each other too deeply")

    def captured(self, block: Printer) -> str:
        """What a block prints, as a text."""
        out, self.out = self.out, []
        try:
            block(self)
            return "".join(self.out)
        finally:
            self.out = out


class CompiledMacro:
    """A macro's parameters and its block."""

    __slots__ = ("block", "parameters")

    def __init__(self, parameters: tuple[str, ...], block: Printer) -> None:
        self.parameters = parameters
        self.block = block


class Defined(Host):
    """A block of `#define`, rendered each time it is looked at."""

    def __init__(self, block: Printer, run: Run) -> None:
        self.block = block
        self.run = run

    def call(self, name: str, arguments: list[Any]) -> Any:
        if name == "toString" and not arguments:
            return self.text()
        raise NoSuchMethod(name)

    def text(self) -> str:
        self.run.enter()
        try:
            return self.run.captured(self.block)
        finally:
            self.run.calls -= 1


class Loop(Host):
    """`$foreach`: where a loop is."""

    def __init__(self, parent: Any) -> None:
        self.parent = parent
        self.index = -1
        self.has_next = False

    def get(self, name: str) -> Any:
        match name:
            case "index":
                return self.index
            case "count":
                return self.index + 1
            case "hasNext":
                return self.has_next
            case "first":
                return self.index < 1
            case "last":
                return not self.has_next
            case "parent":
                return self.parent
            case "topmost":
                return self.parent.get("topmost") if isinstance(self.parent, Loop) else self
        return None

    def call(self, name: str, arguments: list[Any]) -> Any:
        if arguments:
            raise NoSuchMethod(name)
        if name == "stop":
            raise LeaveLoop
        for prefix in ("get", "is"):
            if name.startswith(prefix):
                name = name[len(prefix) :]
                name = name[:1].lower() + name[1:]
        return self.get(name)


class LeaveLoop(Exception):
    """`#break`."""


class Stop(Exception):
    """`#stop`."""
