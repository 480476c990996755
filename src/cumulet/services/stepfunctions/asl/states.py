"""The typed tree of a state machine, and what each state does with its input.

Everything here is pure: a state is given its input (JSON values, never changed), what it may see (``Scope``), later
its result, and says what is to be done (``Begun``) and what came of it (``Finished``). The engine does the rest.
The language: https://states-language.net and the developer guide's "Amazon States Language".
"""

from __future__ import annotations

import random as random_module
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from cumulet.services.stepfunctions.asl.outcome import Begun, Distribution, Finished, Retry
from cumulet.services.stepfunctions.asl.scope import Scope

QueryLanguage = Literal["JSONPath", "JSONata"]
Kind = Literal["STANDARD", "EXPRESS"]


class State:
    """What all states have. ``kind`` is the Type; ``next`` is None where the state is the last one."""

    __slots__ = ("comment", "name", "next", "query_language")

    kind: ClassVar[str]
    # It needs nothing from outside: `run` is all there is to do (Pass, Choice, Succeed).
    immediate: ClassVar[bool] = False

    name: str
    comment: str | None
    next: str | None
    query_language: QueryLanguage

    def begin(self, input: Any, scope: Scope, inspect: bool = False) -> Begun:
        """What is to be done. Raises StatesError where a field cannot be evaluated."""
        raise NotImplementedError

    def finish(self, input: Any, begun: Begun, result: Any, scope: Scope) -> Finished:
        """What comes of ``result``: output, variables, the next state. Raises StatesError."""
        raise NotImplementedError

    def run(self, input: Any, scope: Scope) -> Finished:
        """``begin`` and ``finish`` at once, for states that are ``immediate``."""
        raise NotImplementedError

    def retry(self, error: str, attempts: Mapping[int, int], random: random_module.Random) -> Retry | None:
        """Whether the failure is tried again: ``attempts`` are the retries of each retrier since the state was entered."""
        return None

    def caught(self, input: Any, error: str, cause: str | None, scope: Scope) -> Finished | None:
        """What comes of a failure that a Catch takes; None where none does. Raises StatesError."""
        return None


class Pass(State):
    """Passes its input on, changed by its fields."""

    __slots__ = ()
    kind = "Pass"
    immediate = True


class Succeed(State):
    """Ends the flow well."""

    __slots__ = ()
    kind = "Succeed"
    immediate = True


class Fail(State):
    """Ends the flow with ``Begun.error`` and ``Begun.cause``."""

    __slots__ = ()
    kind = "Fail"


class Choice(State):
    """Goes where its first matching rule says."""

    __slots__ = ()
    kind = "Choice"
    immediate = True


class Wait(State):
    """Waits ``Begun.seconds``, or until ``Begun.timestamp``; then finish with ``result`` None."""

    __slots__ = ()
    kind = "Wait"


class Task(State):
    """Has work done by ``resource`` (the ARN as written)."""

    __slots__ = ("resource",)
    kind = "Task"

    resource: str


class Parallel(State):
    """Runs ``branches`` at once, each with ``Begun.arguments``; the result is the list of their outputs."""

    __slots__ = ("branches",)
    kind = "Parallel"

    branches: tuple[Flow, ...]


class Map(State):
    """Runs ``processor`` once an item; the result is the list of the outputs (or what the ResultWriter gives)."""

    __slots__ = ("execution_type", "has_reader", "label", "mode", "processor")
    kind = "Map"

    processor: Flow
    mode: Literal["INLINE", "DISTRIBUTED"]
    execution_type: Kind | None  # of the child executions of a distributed Map
    label: str | None
    has_reader: bool  # items come from an ItemReader, `Begun.items` is None

    def item(self, input: Any, begun: Begun, index: int, value: Any, scope: Scope, key: str | None = None) -> Any:
        """The input of one iteration: the item, or what ItemSelector makes of it (``$$.Map.Item`` is added here)."""
        raise NotImplementedError

    def context(self, scope: Scope, index: int, value: Any, key: str | None = None) -> dict[str, Any]:
        """The context object of an iteration: that of the Map with ``Map.Item``."""
        raise NotImplementedError

    def distribute(self, input: Any, begun: Begun, scope: Scope) -> Distribution:
        """What a distributed Map is to do (evaluated after MapStateStarted, as on AWS). Raises StatesError."""
        raise NotImplementedError


class Flow:
    """States and where they start: a machine, a branch or an item processor."""

    __slots__ = ("comment", "query_language", "start_at", "states")

    start_at: str
    states: dict[str, State]
    comment: str | None
    query_language: QueryLanguage


class Machine(Flow):
    """A whole definition. ``timeout``: seconds of the whole execution, or None."""

    __slots__ = ("definition", "timeout", "version")

    definition: str
    timeout: int | None
    version: str | None

    def find(self, name: str) -> State | None:
        """The state of that name, at any depth (names are unique in a definition)."""
        raise NotImplementedError

    def references(self) -> dict[str, list[str]]:
        """Which variables each state refers to: ``variableReferences`` of DescribeStateMachine."""
        raise NotImplementedError
