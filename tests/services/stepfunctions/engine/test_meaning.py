"""Random machines give what a plain interpreter of their definitions says, in whatever order things happen.

The interpreter knows a part of the language, and nothing of events, turns or time. Every value that goes on has the members `n`
(a number), `l` (numbers) and `x` (anything), so that all paths lead somewhere.
"""

from __future__ import annotations

import json
import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.services.stepfunctions.engine.test_replay import Story

from cumulet.services.stepfunctions.engine.frames import Phase

CAUSE = "by chance"
KEEP = {"n.$": "$.n", "l.$": "$.l", "x.$": "$.x"}
_WAITS = (Phase.WAIT, Phase.RETRY)


class Failure(Exception):
    """A flow has failed."""


class Writer:
    """Definitions, from a source of chance. Flows only go forwards; each assigns a variable of its own depth first."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.names = 0

    def flow(self, depth: int, most: int) -> dict[str, Any]:
        count = self.chance.randint(1, 4)
        names = [self._name() for _ in range(count + 1)]
        first = {"Type": "Pass", "Assign": {f"v{depth}.$": "$.n"}, "Next": names[1]}
        states = {names[0]: first}
        for place in range(1, count + 1):
            states[names[place]] = self._state(depth, most, names[place + 1 :])
        return {"StartAt": names[0], "States": _reachable(states, names[0])}

    def _name(self) -> str:
        self.names += 1
        return f"S{self.names}"

    def _state(self, depth: int, most: int, later: list[str]) -> dict[str, Any]:
        chance = self.chance
        kinds = ["Result", "Parameters", "Variable", "Choice", "Wait", "Fail"] + ["Parallel", "Map"] * (depth < most)
        kind = chance.choice(kinds)
        way: dict[str, Any] = {"Next": chance.choice(later)} if later and chance.random() < 0.9 else {"End": True}
        if kind == "Choice":
            rules = [{**self._rule(2), "Next": chance.choice(later)} for _ in range(2)] if later else []
            if rules:
                return {"Type": "Choice", "Choices": rules, "Default": chance.choice(later)}
            return {"Type": "Succeed"}
        if kind == "Fail":
            return {"Type": "Fail", "Error": "Odd", "Cause": CAUSE} if chance.random() < 0.5 else {"Type": "Succeed"}
        if kind == "Result":
            return {"Type": "Pass", "Result": chance.choice([1, "é", [1], {"a": None}]), "ResultPath": "$.x", **way}
        if kind == "Parameters":
            return {"Type": "Pass", "Parameters": {**KEEP, "x.$": chance.choice(["$", "$.l[0]", "$.n", "$.x"])}, **way}
        if kind == "Variable":
            name = f"v{chance.randint(0, depth)}"
            call = f"States.MathAdd(${name}, {chance.randint(-3, 3)})"
            return {"Type": "Pass", "Parameters": {**KEEP, "n.$": call, "x.$": f"${name}"}, **way}
        if kind == "Wait":
            return {"Type": "Wait", "Seconds": chance.randint(0, 3), **way}
        return self._parts(kind, way, depth, most, later)

    def _parts(self, kind: str, way: dict[str, Any], depth: int, most: int, later: list[str]) -> dict[str, Any]:
        chance = self.chance
        state: dict[str, Any] = {"Type": kind, "ResultPath": chance.choice(["$.x", None]), **way}
        if kind == "Parallel":
            state["Branches"] = [self.flow(depth + 1, most) for _ in range(chance.randint(1, 3))]
        else:
            state |= {
                "ItemsPath": "$.l",
                "MaxConcurrency": chance.randint(0, 2),
                "ItemSelector": {"n.$": "$$.Map.Item.Value", "l.$": "$.l", "x.$": "$$.Map.Item.Index"},
                "ItemProcessor": self.flow(depth + 1, most),
            }
        if chance.random() < 0.4:
            state["Retry"] = [{"ErrorEquals": [chance.choice(["Odd", "Even"])], "MaxAttempts": chance.randint(0, 2)}]
        if later and chance.random() < 0.6:
            names = chance.choice([["Odd"], ["Even"], ["States.ALL"], ["States.TaskFailed"]])
            state["Catch"] = [{"ErrorEquals": names, "ResultPath": "$.x", "Next": chance.choice(later)}]
        return state

    def _rule(self, depth: int) -> dict[str, Any]:
        kind = self.chance.choice(["And", "Or", "Not", "is", "is"] if depth else ["is"])
        if kind == "Not":
            return {"Not": self._rule(depth - 1)}
        if kind in ("And", "Or"):
            return {kind: [self._rule(depth - 1) for _ in range(2)]}
        name = self.chance.choice(["NumericEquals", "NumericLessThan", "NumericGreaterThanEquals"])
        return {"Variable": "$.n", name: self.chance.randint(-2, 5)}


def _reachable(states: dict[str, Any], start: str) -> dict[str, Any]:
    """Without the states that nothing leads to, which no definition may have."""
    found, waiting = set(), [start]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            state = states[name]
            ways = [state, *state.get("Choices", ()), *state.get("Catch", ()), {"Next": state.get("Default")}]
            waiting += [way["Next"] for way in ways if way.get("Next")]
    return {name: state for name, state in states.items() if name in found}


def meaning(flow: dict[str, Any], value: Any, variables: dict[str, Any]) -> Any:
    """What comes of a flow. Raises Failure."""
    name = flow["StartAt"]
    while True:
        state = flow["States"][name]
        if state["Type"] == "Fail":
            raise Failure
        following = state.get("Next")
        if state["Type"] == "Choice":
            following = next((rule["Next"] for rule in state["Choices"] if _true(rule, value)), state["Default"])
        elif state["Type"] == "Pass":
            value, variables = _passed(state, value, variables)
        elif state["Type"] in ("Parallel", "Map"):
            try:
                result = _results(state, value, variables)
            except Failure:
                if not any(set(catch["ErrorEquals"]) - {"Even"} for catch in state.get("Catch", ())):
                    raise
                value, following = {**value, "x": {"Error": "Odd", "Cause": CAUSE}}, state["Catch"][0]["Next"]
            else:
                value = value if state["ResultPath"] is None else {**value, "x": result}
        if following is None:
            return value
        name = following


def _true(rule: dict[str, Any], value: Any) -> bool:
    if "Not" in rule:
        return not _true(rule["Not"], value)
    if "And" in rule:
        return all(_true(inner, value) for inner in rule["And"])
    if "Or" in rule:
        return any(_true(inner, value) for inner in rule["Or"])
    n = value["n"]
    if "NumericEquals" in rule:
        return bool(n == rule["NumericEquals"])
    return bool(n < rule["NumericLessThan"] if "NumericLessThan" in rule else n >= rule["NumericGreaterThanEquals"])


def _passed(state: dict[str, Any], value: Any, variables: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    if "Assign" in state:
        return value, {**variables, next(iter(state["Assign"]))[:-2]: value["n"]}
    if "Result" in state:
        return {**value, "x": state["Result"]}, variables
    wanted = state["Parameters"]
    path = wanted["x.$"]
    if path.startswith("$v"):
        variable = variables[path[1:]]
        return {**value, "n": variable + int(wanted["n.$"].split(",")[1].strip(" )")), "x": variable}, variables
    read = {"$": value, "$.l[0]": value["l"][0], "$.n": value["n"], "$.x": value["x"]}
    return {"n": value["n"], "l": value["l"], "x": read[path]}, variables


def _results(state: dict[str, Any], value: Any, variables: dict[str, Any]) -> list[Any]:
    if state["Type"] == "Parallel":
        return [meaning(branch, value, variables) for branch in state["Branches"]]
    items = enumerate(value["l"])
    return [
        meaning(state["ItemProcessor"], {"n": item, "l": value["l"], "x": index}, variables) for index, item in items
    ]


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32))
def test_a_run_gives_what_its_definition_means(seed: int) -> None:
    chance = random.Random(seed)
    definition = Writer(chance).flow(0, 3)
    given = {"n": chance.randint(-2, 5), "l": [chance.randint(-2, 5) for _ in range(chance.randint(1, 4))], "x": None}
    try:
        wanted = ("SUCCEEDED", meaning(definition, given, {}))
    except Failure:
        wanted = ("FAILED", None)
    story = Story(json.dumps(definition), json.dumps(given))
    while story.run.open:
        assert any(frame.phase in _WAITS for frame in story.run.frames.values())
        story.happen(chance)
    run = story.run
    assert (run.status, None if run.output is None else json.loads(run.output)) == wanted
    if run.status == "FAILED":
        assert (run.error, run.cause) == ("Odd", CAUSE)
    assert not run.ready
    assert not run.effects
