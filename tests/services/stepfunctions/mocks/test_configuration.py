"""Mock configuration files."""

import json
from pathlib import Path
from typing import Any

import pytest

from cumulet.services.stepfunctions.mocks.configuration import MockError, Throw, parse
from cumulet.services.stepfunctions.mocks.known import KnownMocks


def file(responses: dict[str, Any], states: dict[str, str] | None = None) -> str:
    wanted = {"Charge": "Charged"} if states is None else states
    return json.dumps({"StateMachines": {"orders": {"TestCases": {"Happy": wanted}}}, "MockedResponses": responses})


def test_attempts_have_answers_by_number_and_range() -> None:
    failed = {"Error": "Busy", "Cause": "try again"}
    responses = {"Charged": {"0": {"Return": {"id": 7}}, "1-2": {"Throw": failed}, "3": {"Return": None}}}
    response = parse(file(responses)).cases["orders", "Happy"].states["Charge"]
    first = response.of(0)
    assert first is not None
    assert first.result == {"id": 7}
    for attempt in (1, 2):
        answer = response.of(attempt)
        assert answer is not None
        assert answer.throw == Throw("Busy", "try again")
    last = response.of(3)
    assert last is not None
    assert last.result is None
    assert response.of(4) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "cannot be read"),
        ("[]", "cannot be read"),
        (json.dumps({"StateMachines": {}}), "MockedResponses"),
        (file({}), "names the response Charged"),
        (file({"Charged": {"first": {"Return": 1}}}), "'first'"),
        (file({"Charged": {"2-1": {"Return": 1}}}), "'2-1'"),
        (file({"Charged": {"0": {}}}), "either Return or Throw"),
        (file({"Charged": {"0": {"Return": 1, "Throw": {"Error": "E", "Cause": "c"}}}}), "either Return or Throw"),
        (file({"Charged": {"0-2": {"Return": 1}, "2": {"Return": 2}}}), "two answers for attempt 2"),
        (file({"Charged": {"0": {"Returns": 1}}}), "Returns"),
    ],
)
def test_what_cannot_be_used_is_told(text: str, words: str) -> None:
    with pytest.raises(MockError, match=words):
        parse(text)


def test_a_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "MockConfigFile.json"
    known = KnownMocks(path)
    assert known.find("111122223333", "orders", "Happy") is None
    path.write_text(file({"Charged": {"0": {"Return": 1}}}))
    assert known.find("111122223333", "orders", "Happy") is not None
    assert known.find("111122223333", "orders", "Sad") is None


def test_what_an_account_gave_wins_and_is_its_own(tmp_path: Path) -> None:
    known = KnownMocks()
    known.give("111122223333", file({"Charged": {"0": {"Return": 1}}}))
    assert known.find("111122223333", "orders", "Happy") is not None
    assert known.find("444455556666", "orders", "Happy") is None
    known.forget("111122223333")
    assert known.find("111122223333", "orders", "Happy") is None
    with pytest.raises(MockError):
        known.give("111122223333", "no")
