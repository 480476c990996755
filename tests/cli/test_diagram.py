"""Pictures of state machines: every state is there once, nothing lies over anything else, hostile names stay text."""

import itertools
import json
import xml.etree.ElementTree as ET
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cumulet.cli.errors import CliError
from cumulet.cli.workflows import diagram, history, svg
from cumulet.cli.workflows.layout import Picture, arrange

_TEXT = "{http://www.w3.org/2000/svg}text"


@st.composite
def flows(draw: st.DrawFn, depth: int = 0, prefix: str = "S") -> dict[str, Any]:
    """A flow of a few states that lead anywhere, also back and to themselves."""
    names = [f"{prefix}{n}" for n in range(draw(st.integers(1, 6)))]
    target = st.sampled_from(names)
    states: dict[str, Any] = {}
    for name in names:
        kind = draw(st.sampled_from(["Pass", "Choice", "Task", "Succeed"] + (["Parallel", "Map"] if depth < 2 else [])))
        state: dict[str, Any] = {"Type": kind}
        if kind == "Choice":
            state["Choices"] = [
                {"Condition": "{% true %}", "Next": draw(target)} for _ in range(draw(st.integers(1, 3)))
            ]
            state["Default"] = draw(target)
        elif kind != "Succeed":
            state |= {"Next": draw(target)} if draw(st.booleans()) else {"End": True}
        if kind in ("Task", "Parallel", "Map") and draw(st.booleans()):
            state["Catch"] = [{"ErrorEquals": ["States.ALL"], "Next": draw(target)}]
        if kind == "Parallel":
            state["Branches"] = [draw(flows(depth + 1, f"{name}.{n}.")) for n in range(draw(st.integers(1, 2)))]
        if kind == "Map":
            state["ItemProcessor"] = draw(flows(depth + 1, f"{name}.m."))
        states[name] = state
    return {"StartAt": draw(target), "States": states}


def overlapping(picture: Picture) -> list[tuple[str, str]]:
    """Boxes of one level that lie over each other, or inner pictures that leave their box."""
    found = []
    for one, other in itertools.combinations([node for node in picture.nodes if node.box], 2):
        apart = (
            abs(one.x - other.x) >= (one.width + other.width) / 2 - 0.01
            or abs(one.y - other.y) >= (one.height + other.height) / 2 - 0.01
        )
        if not apart:
            found.append((one.name, other.name))
    for node in picture.nodes:
        for inner in node.inner:
            if inner.x < 0 or inner.x + inner.width > node.width or inner.y + inner.height > node.height:
                found.append((node.name, "inside"))
            found += overlapping(inner)
    return found


@given(flows())
def test_boxes_do_not_overlap_and_all_are_drawn(definition: dict[str, Any]) -> None:
    graph = diagram.read(json.dumps(definition))
    picture = arrange(graph)
    assert overlapping(picture) == []
    assert all(node.x - node.width / 2 >= -0.01 for node in picture.nodes)
    names = [text.text for text in ET.fromstring(svg.draw(graph)).iter(_TEXT)]
    assert {name: names.count(name) for name in graph.states()} == dict.fromkeys(graph.states(), 1)


def test_hostile_names_stay_text() -> None:
    name = '</text><script>alert(1)</script>&"'
    definition = {"StartAt": name, "States": {name: {"Type": "Fail", "Error": "<b>"}}}
    run = {name: history.Visits("FAILED", 1, error="<i>", cause="&")}
    drawn = ET.fromstring(svg.draw(diagram.read(json.dumps(definition)), run))
    assert name in [text.text for text in drawn.iter(_TEXT)]
    assert not list(drawn.iter("{http://www.w3.org/2000/svg}script"))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"States": {}}', '{"States": []}', "[" * 100_000])
def test_what_is_no_definition_is_told(text: str) -> None:
    with pytest.raises(CliError):
        diagram.read(text)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"Variable": "$.a", "StringEquals": "x"}, '$.a = "x"'),
        ({"Variable": "$.a", "NumericGreaterThanEqualsPath": "$.b"}, "$.a >= $.b"),
        ({"Not": {"Variable": "$.a", "IsPresent": True}}, "not ($.a is present)"),
        (
            {"Or": [{"Variable": "$.a", "BooleanEquals": True}, {"Variable": "$.b", "IsNull": False}]},
            "$.a = true or $.b is not null",
        ),
        ({"Condition": "{% $x > 1 %}"}, "$x > 1"),
    ],
)
def test_conditions_are_written_as_people_do(rule: dict[str, Any], words: str) -> None:
    assert diagram.condition(rule) == words


def event(id: int, previous: int, type: str, name: str = "", **details: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"id": id, "previousEventId": previous, "type": type, "timestamp": float(id)}
    found["someEventDetails"] = ({"name": name} if name else {}) | details
    return found


def test_a_run_is_read_from_its_history() -> None:
    run = history.read(
        [
            event(1, 0, "ExecutionStarted"),
            event(2, 0, "ParallelStateEntered", "Both"),
            event(3, 2, "ParallelStateStarted"),
            event(4, 3, "TaskStateEntered", "Left"),
            event(5, 3, "PassStateEntered", "Right"),
            event(6, 4, "TaskScheduled"),
            event(7, 5, "PassStateExited", "Right"),
            event(8, 6, "TaskFailed", error="Busy", cause="c"),
            event(9, 8, "TaskScheduled"),
            event(10, 9, "TaskSucceeded"),
            event(11, 10, "TaskStateExited", "Left", output="1"),
            event(12, 11, "ParallelStateSucceeded"),
            event(13, 11, "ParallelStateExited", "Both"),
            event(14, 13, "FailStateEntered", "Bad"),
            event(15, 14, "ExecutionFailed", error="E", cause="why"),
        ]
    )
    assert (run.status, run.error, run.cause) == ("FAILED", "E", "why")
    seen = {visit.state: (visit.status, visit.attempts, visit.seconds) for visit in run.visits.values()}
    assert seen == {
        "Both": ("SUCCEEDED", 0, 11.0),
        "Left": ("SUCCEEDED", 2, 7.0),
        "Right": ("SUCCEEDED", 0, 2.0),
        "Bad": ("FAILED", 0, 1.0),
    }
    assert run.by_state()["Left"].retries == 1
