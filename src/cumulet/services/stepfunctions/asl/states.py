"""The typed tree of a state machine, and what each state does with its input. (Map has a file of its own.)

Everything here is pure: a state is given its input (JSON values, never changed), what it may see (``Scope``), later
its result, and says what is to be done (``Begun``) and what came of it (``Finished``). The engine does the rest.
The language: https://states-language.net and the developer guide's "Amazon States Language".
States are made from definitions that the validator has passed.
"""

from __future__ import annotations

import random as random_module
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal

from cumulet.services.stepfunctions.asl import choices, numbers, paths, timestamps
from cumulet.services.stepfunctions.asl.catching import Catcher, catch
from cumulet.services.stepfunctions.asl.errors import NO_CHOICE, QUERY_EVALUATION, StatesError, runtime
from cumulet.services.stepfunctions.asl.fields import PathFields
from cumulet.services.stepfunctions.asl.jsonata import expressions
from cumulet.services.stepfunctions.asl.jsonata.fields import NOTHING, ExpressionFields
from cumulet.services.stepfunctions.asl.outcome import Begun, Finished, Retry
from cumulet.services.stepfunctions.asl.patience import Weight
from cumulet.services.stepfunctions.asl.retries import Retrier, decide
from cumulet.services.stepfunctions.asl.scope import Scope
from cumulet.services.stepfunctions.asl.templates import not_found, reader, template

QueryLanguage = Literal["JSONPath", "JSONata"]
Kind = Literal["STANDARD", "EXPRESS"]
Fields = PathFields | ExpressionFields
Read = Callable[[Any, Scope], Any]

# A Wait may not be longer than this many seconds.
_LONGEST_WAIT = 2**31 - 1


class State:
    """What all states have. ``kind`` is the Type; ``next`` is None where the state is the last one."""

    __slots__ = ("_catchers", "_fields", "_retriers", "comment", "name", "next", "query_language", "weight")

    kind: ClassVar[str]
    # It needs nothing from outside: `run` is all there is to do (Pass, Choice, Succeed).
    immediate: ClassVar[bool] = False

    def __init__(self, name: str, state: dict[str, Any], language: QueryLanguage) -> None:
        self.name = name
        self.comment: str | None = state.get("Comment")
        self.next: str | None = state.get("Next")
        self.query_language: QueryLanguage = language
        self.weight = Weight(state)
        self._fields: Fields = ExpressionFields(state) if self.jsonata else PathFields(state)
        self._retriers = tuple(Retrier(entry) for entry in state.get("Retry", ()))
        self._catchers = tuple(
            Catcher(entry, index, self.jsonata) for index, entry in enumerate(state.get("Catch", ()))
        )

    @property
    def jsonata(self) -> bool:
        """Whether the state's query language is JSONata."""
        return self.query_language == "JSONata"

    def begin(self, input: Any, scope: Scope, inspect: bool = False) -> Begun:
        """What is to be done. Raises StatesError where a field cannot be evaluated."""
        trace: dict[str, Any] | None = {} if inspect else None
        return Begun(self._fields.enter(input, scope, trace)[1], trace)

    def finish(self, input: Any, begun: Begun, result: Any, scope: Scope) -> Finished:
        """What comes of ``result``: output, variables, the next state. Raises StatesError."""
        output, assigned = self._fields.leave(input, result, scope, begun.trace)
        return Finished(output, assigned, self.next, None, begun.trace)

    def run(self, input: Any, scope: Scope) -> Finished:
        """``begin`` and ``finish`` at once, for states that are ``immediate``."""
        return self.finish(input, self.begin(input, scope), None, scope)

    def retry(self, error: str | None, attempts: Mapping[int, int], random: random_module.Random) -> Retry | None:
        """Whether the failure is tried again: ``attempts`` are the retries of each retrier since the state was entered."""
        return decide(self._retriers, error, attempts, random)

    def caught(self, input: Any, error: str | None, cause: str | None, scope: Scope) -> Finished | None:
        """What comes of a failure that a Catch takes; None where none does. Raises StatesError."""
        return catch(self._catchers, input, error, cause, scope)


class Pass(State):
    """Passes its input on, changed by its fields."""

    __slots__ = ("_has_result", "_result", "_through")
    kind = "Pass"
    immediate = True

    def __init__(self, name: str, state: dict[str, Any], language: QueryLanguage) -> None:
        super().__init__(name, state, language)
        self._has_result = "Result" in state
        self._result = state.get("Result")
        self._through = self._fields.through and not self._has_result and "Assign" not in state

    def finish(self, input: Any, begun: Begun, result: Any, scope: Scope) -> Finished:
        """The output; ``result`` is not looked at: a Pass makes its own."""
        if isinstance(self._fields, ExpressionFields):
            made: Any = NOTHING
        else:
            made = self._result if self._has_result else begun.arguments
        output, assigned = self._fields.leave(input, made, scope, begun.trace)
        return Finished(output, assigned, self.next, None, begun.trace)

    def run(self, input: Any, scope: Scope) -> Finished:
        """The output, without what `begin` makes for `finish`."""
        if self._through:
            return Finished(input, None, self.next)
        fields = self._fields
        made = fields.enter(input, scope, None)[1]
        if isinstance(fields, ExpressionFields):
            made = NOTHING
        elif self._has_result:
            made = self._result
        output, assigned = fields.leave(input, made, scope, None)
        return Finished(output, assigned, self.next)


class _Through(State):
    """A state without a result: what it was given goes on, by InputPath and OutputPath, or Output."""

    __slots__ = ()

    def _leave(self, input: Any, begun: Begun, scope: Scope) -> Finished:
        fields = self._fields
        if isinstance(fields, ExpressionFields):
            output, assigned = fields.leave(input, NOTHING, scope, begun.trace)
        else:
            assigned = fields.assigned(begun.arguments, scope)
            output = fields.outward(begun.arguments, scope)
        return Finished(output, assigned, self.next, None, begun.trace)

    def finish(self, input: Any, begun: Begun, result: Any, scope: Scope) -> Finished:
        """The output; there is no result."""
        return self._leave(input, begun, scope)


class Succeed(_Through):
    """Ends the flow well."""

    __slots__ = ()
    kind = "Succeed"
    immediate = True


class Fail(State):
    """Ends the flow with ``Begun.error`` and ``Begun.cause``."""

    __slots__ = ("_cause", "_error")
    kind = "Fail"

    def __init__(self, name: str, state: dict[str, Any], language: QueryLanguage) -> None:
        super().__init__(name, state, language)
        self._error = _text(state, "Error", self.jsonata)
        self._cause = _text(state, "Cause", self.jsonata)

    def begin(self, input: Any, scope: Scope, inspect: bool = False) -> Begun:
        """The error and its cause, each None where it is not given."""
        begun = Begun(input, {"afterInputPath": input} if inspect else None)
        begun.error = None if self._error is None else self._error(input, scope)
        begun.cause = None if self._cause is None else self._cause(input, scope)
        return begun


def _text(state: dict[str, Any], name: str, jsonata: bool) -> Read | None:
    """What reads Error or Cause, or ErrorPath or CausePath."""
    path = state.get(f"{name}Path")
    if path is not None:
        return _text_by_path(f"{name}Path", path)
    value = state.get(name)
    if value is None:
        return None
    if not (jsonata and expressions.is_expression(value)):
        return numbers.constant(value)
    evaluate = expressions.typed(value, name, "string")
    return lambda input, scope: evaluate(expressions.Frame(scope, input=input))


def _text_by_path(field: str, path: str) -> Read:
    source = reader(path)

    def read(input: Any, scope: Scope) -> str:
        try:
            value = source.read(input, scope)
        except paths.NotFound:
            raise not_found(path, field, input) from None
        if not isinstance(value, str):
            raise runtime(f"The {field} parameter does not reference a string: {path} == {numbers.shown(value)}")
        return value

    return read


class Choice(_Through):
    """Goes where its first matching rule says. ``default`` is None where there is none."""

    __slots__ = ("_rules", "default")
    kind = "Choice"
    immediate = True

    def __init__(self, name: str, state: dict[str, Any], language: QueryLanguage) -> None:
        super().__init__(name, state, language)
        self.default: str | None = state.get("Default")
        self._rules = [_Rule(entry, index, self.jsonata) for index, entry in enumerate(state.get("Choices", ()))]

    def finish(self, input: Any, begun: Begun, result: Any, scope: Scope) -> Finished:
        """The output and the state that a rule, or the default, leads to. Raises ``States.NoChoiceMatched``."""
        seen: Any = expressions.Frame(scope, input=input) if self.jsonata else begun.arguments
        for index, rule in enumerate(self._rules):
            if rule.check(seen, scope):
                return self._chosen(rule, index, input, begun, scope)
        if self.default is None:
            raise StatesError(
                NO_CHOICE,
                "Failed to transition out of the state. The state does not point to a next state.",
                inner=True,
            )
        finished = self._leave(input, begun, scope)
        finished.next = self.default
        return finished

    def _chosen(self, rule: _Rule, index: int, input: Any, begun: Begun, scope: Scope) -> Finished:
        if rule.fields is not None:
            frame = expressions.Frame(scope, input=input)
            output, assigned = rule.fields.made(frame, input)
        else:
            assert isinstance(self._fields, PathFields)
            assigned = None if rule.assign is None else rule.assign(begun.arguments, scope)
            output = self._fields.outward(begun.arguments, scope)
        return Finished(output, assigned, rule.next, index, begun.trace)


class _Rule:
    """A top-level entry of Choices: ``check`` is given the input, or a frame with JSONata."""

    __slots__ = ("assign", "check", "fields", "next")

    def __init__(self, entry: dict[str, Any], index: int, jsonata: bool) -> None:
        self.next: str = entry["Next"]
        self.fields: ExpressionFields | None = None
        self.assign: Read | None = None
        self.check: Read
        if jsonata:
            where = f"Choices[{index}]/"
            condition = expressions.typed(entry["Condition"], f"{where}Condition", "boolean")
            self.check = lambda frame, scope: condition(frame) is True
            self.fields = ExpressionFields(entry, where)
        else:
            self.check = choices.rule(entry)
            self.assign = template(entry["Assign"]) if "Assign" in entry else None


class Wait(_Through):
    """Waits ``Begun.seconds``, or until ``Begun.timestamp``; then finish with ``result`` None."""

    __slots__ = ("_seconds", "_timestamp")
    kind = "Wait"

    def __init__(self, name: str, state: dict[str, Any], language: QueryLanguage) -> None:
        super().__init__(name, state, language)
        self._seconds = numbers.seconds(state, "Seconds")
        self._timestamp = _timestamp(state)

    def begin(self, input: Any, scope: Scope, inspect: bool = False) -> Begun:
        """How long, or until when."""
        begun = super().begin(input, scope, inspect)
        if self._seconds is not None:
            begun.seconds = self._seconds(begun.arguments, scope)
        elif self._timestamp is not None:
            begun.timestamp = self._timestamp(begun.arguments, scope)
            if scope.now is not None and begun.timestamp - scope.now() / 1000 > _LONGEST_WAIT:
                raise runtime("Wait state delay is too long.")
        return begun


def _timestamp(state: dict[str, Any]) -> Read | None:
    path, value = state.get("TimestampPath"), state.get("Timestamp")
    if path is not None:
        return _timestamp_by_path(path)
    if value is None:
        return None
    if not expressions.is_expression(value):
        return numbers.constant(timestamps.seconds(value))
    evaluate = expressions.typed(value, "Timestamp", "string")

    def read(input: Any, scope: Scope) -> float:
        text = evaluate(expressions.Frame(scope, input=input))
        moment = timestamps.seconds(text)
        if moment is None:
            cause = (
                f"The Timestamp field cannot be parsed as an ISO-8601 extended offset date-time format string: {text}"
            )
            raise StatesError(QUERY_EVALUATION, cause, location="Timestamp", inner=True)
        return moment

    return read


def _timestamp_by_path(path: str) -> Read:
    source = paths.source(path)

    def read(input: Any, scope: Scope) -> float:
        try:
            value = source.read(input, scope)
        except paths.NotFound:
            value = None
        if value is None:
            raise runtime(f"The TimestampPath parameter does not reference an input value: {path}")
        moment = timestamps.seconds(value) if isinstance(value, str) else None
        if moment is None:
            raise runtime(
                "The TimestampPath parameter does not reference a valid ISO-8601 extended offset date-time format string: "
                f"{path} == {numbers.shown(value)}"
            )
        return moment

    return read


class Task(State):
    """Has work done by ``resource`` (the ARN as written)."""

    __slots__ = ("_credentials", "_heartbeat", "_timeout", "resource")
    kind = "Task"

    def __init__(self, name: str, state: dict[str, Any], language: QueryLanguage) -> None:
        super().__init__(name, state, language)
        self.resource: str = state["Resource"]
        self._timeout = numbers.seconds(state, "TimeoutSeconds")
        self._heartbeat = numbers.seconds(state, "HeartbeatSeconds")
        self._credentials = _credentials(state, self.jsonata)

    def begin(self, input: Any, scope: Scope, inspect: bool = False) -> Begun:
        """The arguments, limits of time and credentials."""
        trace: dict[str, Any] | None = {} if inspect else None
        effective, arguments = self._fields.enter(input, scope, trace)
        begun = Begun(arguments, trace)
        if self._timeout is not None:
            begun.timeout = self._timeout(effective, scope)
        if self._heartbeat is not None:
            begun.heartbeat = self._heartbeat(effective, scope)
        if self._credentials is not None:
            begun.credentials = self._credentials(effective, scope)
        return begun


def _credentials(state: dict[str, Any], jsonata: bool) -> Read | None:
    if "Credentials" not in state:
        return None
    if not jsonata:
        return template(state["Credentials"])
    evaluate = expressions.template(state["Credentials"], "Credentials")
    return lambda input, scope: evaluate(expressions.Frame(scope, input=input))


class Parallel(State):
    """Runs ``branches`` at once, each with ``Begun.arguments``; the result is the list of their outputs."""

    __slots__ = ("branches",)
    kind = "Parallel"

    branches: tuple[Flow, ...]


class Flow:
    """States and where they start: a machine, a branch or an item processor."""

    __slots__ = ("comment", "query_language", "start_at", "states")

    def __init__(
        self, start_at: str, states: dict[str, State], comment: str | None, query_language: QueryLanguage
    ) -> None:
        self.start_at = start_at
        self.states = states
        self.comment = comment
        self.query_language: QueryLanguage = query_language
