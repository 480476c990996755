"""The mock configuration file: which states of which machine answer what, by test case.

{"StateMachines": {MACHINE: {"TestCases": {CASE: {STATE: RESPONSE}}}},
 "MockedResponses": {RESPONSE: {"0": {"Return": ...}, "1-2": {"Throw": {"Error": ..., "Cause": ...}}}}}
"""

from __future__ import annotations

import itertools
import re
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from cumulet.kernel.errors import AwsError

_RANGE = re.compile(r"(\d{1,9})(?:-(\d{1,9}))?", re.ASCII)


class MockError(AwsError):
    """The configuration cannot be used: one line that says where and why."""

    code = "ValidationException"


class Throw(Struct, frozen=True, rename="pascal", forbid_unknown_fields=True):
    """A task fails."""

    error: str
    cause: str = ""


class Answer(Struct, frozen=True, rename={"result": "Return", "throw": "Throw"}, forbid_unknown_fields=True):
    """What one attempt gives: a result (JSON values), or a failure."""

    result: Any = UNSET
    throw: Throw | UnsetType = UNSET


class _Machine(Struct, frozen=True, rename="pascal"):
    test_cases: dict[str, dict[str, str]]


class _File(Struct, frozen=True, rename="pascal"):
    state_machines: dict[str, _Machine]
    mocked_responses: dict[str, dict[str, Answer]]


class Response(Struct, frozen=True):
    """A mocked response: its answers, each for attempts from a number to another, both counted from 0."""

    name: str
    answers: tuple[tuple[int, int, Answer], ...]

    def of(self, attempt: int) -> Answer | None:
        """The answer of an attempt; None where the file has none for it."""
        return next((answer for first, last, answer in self.answers if first <= attempt <= last), None)


class Case(Struct, frozen=True):
    """A test case: the states that are mocked, and by what. Those it does not name do their work."""

    machine: str
    name: str
    states: dict[str, Response]


class Configuration(Struct, frozen=True):
    """A whole file: test cases by machine and name."""

    cases: dict[tuple[str, str], Case]

    def names(self, machine: str) -> list[str]:
        """The test cases of a machine."""
        return [case for name, case in self.cases if name == machine]


def parse(text: bytes | str) -> Configuration:
    """Read a configuration; raises MockError."""
    try:
        file = msgspec.json.decode(text, type=_File)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise MockError(f"The mock configuration cannot be read: {error}.") from None
    responses = {name: _response(name, answers) for name, answers in file.mocked_responses.items()}
    cases = {}
    for machine, found in file.state_machines.items():
        for case, states in found.test_cases.items():
            missing = [name for name in states.values() if name not in responses]
            if missing:
                raise MockError(
                    f"The test case {case} of {machine} names the response {missing[0]}, which MockedResponses does not have."
                )
            cases[machine, case] = Case(machine, case, {state: responses[name] for state, name in states.items()})
    return Configuration(cases)


def _response(name: str, answers: dict[str, Answer]) -> Response:
    found = []
    for key, answer in answers.items():
        matched = _RANGE.fullmatch(key)
        if matched is None or int(matched[2] or matched[1]) < int(matched[1]):
            raise MockError(
                f"The response {name} has the key {key!r}: give an attempt's number, or a range such as 1-2."
            )
        if (answer.result is UNSET) == (answer.throw is UNSET):
            raise MockError(f"The answer {key!r} of the response {name} needs either Return or Throw.")
        found.append((int(matched[1]), int(matched[2] or matched[1]), answer))
    found.sort(key=lambda entry: entry[0])
    for (_, last, _), (first, _, _) in itertools.pairwise(found):
        if first <= last:
            raise MockError(f"The response {name} has two answers for attempt {first}.")
    return Response(name, tuple(found))
