"""`cumulet run`, `workflow graph`, `test` and `debug` of state machines."""

import json
import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

CLEAN = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CUMULET_"))}
ADD = {
    "QueryLanguage": "JSONata",
    "StartAt": "First",
    "States": {
        "First": {"Type": "Pass", "Assign": {"x": 1}, "Output": {"n": "{% $states.input.n %}"}, "Next": "Second"},
        "Second": {"Type": "Pass", "Output": "{% $x + $states.input.n %}", "End": True},
    },
}
CHARGE = {
    "StartAt": "Charge",
    "States": {
        "Charge": {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Parameters": {"FunctionName": "charge", "Payload.$": "$"},
            "Retry": [{"ErrorEquals": ["Busy"], "IntervalSeconds": 1, "MaxAttempts": 1}],
            "Catch": [{"ErrorEquals": ["Declined"], "Next": "Refused"}],
            "OutputPath": "$.Payload",
            "Next": "Ask",
        },
        "Ask": {
            "Type": "Task",
            "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
            "Parameters": {"QueueUrl": "https://none", "MessageBody.$": "$$.Task.Token"},
            "End": True,
        },
        "Refused": {"Type": "Fail", "Error": "Refused"},
    },
}
MOCKS: dict[str, Any] = {
    "StateMachines": {
        "orders": {
            "TestCases": {
                "Happy": {"Charge": "Retried", "Ask": "Yes"},
                "Declined": {"Charge": "Declined"},
            }
        }
    },
    "MockedResponses": {
        "Retried": {"0": {"Throw": {"Error": "Busy", "Cause": "later"}}, "1": {"Return": {"Payload": {"id": 7}}}},
        "Declined": {"0": {"Throw": {"Error": "Declined", "Cause": "no"}}},
        "Yes": {"0": {"Return": {"ok": True}}},
    },
    "Expectations": {
        "orders": {"Happy": {"Output": {"ok": True}, "States": ["Charge", "Ask"]}, "Declined": {"Error": "Refused"}}
    },
}

Cli = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def cli(node: Any, account: str) -> Cli:
    """The command against this test's node and account."""

    def run(*arguments: str, input: str = "") -> "subprocess.CompletedProcess[str]":
        options = ("--data", str(node.data), "--account", account)
        return subprocess.run(
            [sys.executable, "-m", "cumulet", *arguments, *options],
            capture_output=True,
            text=True,
            input=input,
            env=CLEAN,
            timeout=100,
            check=False,
        )

    return run


@pytest.fixture
def file(tmp_path: Path) -> Callable[[str, Any], str]:
    def write(name: str, value: Any) -> str:
        path = tmp_path / name
        path.write_text(json.dumps(value))
        return str(path)

    return write


def make(client: Any, account: str, name: str, definition: Any) -> str:
    role = f"arn:aws:iam::{account}:role/machine"
    made = client("stepfunctions").create_state_machine(name=name, definition=json.dumps(definition), roleArn=role)
    return str(made["stateMachineArn"])


def test_a_run_shows_its_states_and_prints_its_output(client: Any, account: str, cli: Cli) -> None:
    make(client, account, "add", ADD)
    done = cli("run", "add", "-f", "--show-data", "-i", '{"n": 41}')
    assert (done.returncode, done.stdout) == (0, "42\n")
    lines = done.stderr.splitlines()
    assert lines[0].startswith("✓ First")
    assert lines[1].split() == ["in", '{"n":', "41}"]
    assert any(line.startswith("✓ Second") for line in lines)


def test_a_run_of_a_file_leaves_nothing_behind(client: Any, cli: Cli, file: Callable[[str, Any], str]) -> None:
    done = cli("run", file("add.asl.json", ADD), "--json", "-i", '{"n": 1}')
    found = json.loads(done.stdout)
    assert (found["status"], found["output"]) == ("SUCCEEDED", 2)
    assert [state["name"] for state in found["states"]] == ["First", "Second"]
    assert client("stepfunctions").list_state_machines()["stateMachines"] == []
    express = cli("run", file("add.asl.json", ADD), "--type", "EXPRESS", "-i", '{"n": 1}')
    assert (express.returncode, express.stdout) == (0, "2\n")


def test_a_run_that_fails_says_why(cli: Cli, file: Callable[[str, Any], str]) -> None:
    bad = {"StartAt": "Bad", "States": {"Bad": {"Type": "Fail", "Error": "E", "Cause": "because"}}}
    done = cli("run", file("bad.json", bad))
    assert done.returncode == 4
    assert "✗ Bad" in done.stderr
    assert "Error: The execution FAILED: E: because." in done.stderr
    assert cli("run", "nothing").returncode == 1
    assert "is not JSON" in cli("run", "nothing", "-i", "{").stderr or cli("run", "nothing").returncode == 1


def test_a_graph_is_drawn_and_coloured(client: Any, account: str, cli: Cli, tmp_path: Path) -> None:
    arn = make(client, account, "add", ADD)
    plain = ET.fromstring(cli("workflow", "graph", "add").stdout)
    texts = [element.text for element in plain.iter("{http://www.w3.org/2000/svg}text")]
    assert {"First", "Second"} <= set(texts)
    execution = client("stepfunctions").start_execution(stateMachineArn=arn, input='{"n": 1}')["executionArn"]
    while client("stepfunctions").describe_execution(executionArn=execution)["status"] == "RUNNING":
        pass
    out = tmp_path / "run.svg"
    assert cli("workflow", "graph", execution, "-o", str(out)).returncode == 0
    titles = [element.text or "" for element in ET.parse(out).iter("{http://www.w3.org/2000/svg}title")]
    assert all("SUCCEEDED" in title for title in titles)
    assert len(titles) == 2


def test_mocked_cases_pass_and_fail(client: Any, cli: Cli, file: Callable[[str, Any], str]) -> None:
    definition = file("orders.json", CHARGE)
    done = cli("test", file("mocks.json", MOCKS), "-d", f"orders={definition}")
    assert (done.returncode, done.stderr) == (0, "2 passed, 0 failed.\n")
    assert "orders#Happy  SUCCEEDED" in done.stdout
    wrong = MOCKS | {"Expectations": {"orders": {"Happy": {"Output": 1}, "Declined": {"Status": "FAILED"}}}}
    done = cli("test", file("wrong.json", wrong), "-d", f"orders={definition}", "--json")
    assert done.returncode == 1
    first, second = map(json.loads, done.stdout.splitlines())
    assert first["failures"] == ['output {"ok": true}, not 1']
    assert second["passed"]
    assert client("stepfunctions").list_state_machines()["stateMachines"] == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([], "not a JSON object"),
        ({"StateMachines": {}, "MockedResponses": {}}, "has no test case"),
        (MOCKS | {"MockedResponses": {}}, "names the response"),
        (MOCKS | {"Expectations": {"orders": {"Happy": {"Result": 1}}}}, "have Result"),
    ],
)
def test_bad_mock_files_are_told(cli: Cli, file: Callable[[str, Any], str], content: Any, words: str) -> None:
    done = cli("test", file("mocks.json", content))
    assert done.returncode == 1
    assert words in done.stderr


def test_a_case_is_started_by_its_name(client: Any, node: Any, account: str) -> None:
    arn = make(client, account, "orders", CHARGE)
    node.post("/_cumulet/mocks", {"account": account, "configuration": MOCKS})
    states = client("stepfunctions")
    execution = states.start_execution(stateMachineArn=f"{arn}#Declined")["executionArn"]
    while (found := states.describe_execution(executionArn=execution))["status"] == "RUNNING":
        pass
    assert (found["status"], found["error"]) == ("FAILED", "Refused")
    with pytest.raises(states.exceptions.ValidationException, match="no test case 'Other'"):
        states.start_execution(stateMachineArn=f"{arn}#Other")


def test_a_debugger_stops_changes_and_goes_on(client: Any, account: str, cli: Cli) -> None:
    make(client, account, "add", ADD)
    commands = 'n\nset x 40\ninput {"n": 2}\nprint\nc\n'
    done = cli("debug", "machine:add", "-i", '{"n": 1}', input=commands)
    assert (done.returncode, done.stdout) == (0, "42\n")
    assert "→ First (Pass)" in done.stderr
    assert "→ Second (Pass)" in done.stderr
    only = cli("debug", "machine:add", "-b", "Second", "-i", '{"n": 1}', input="c\n")
    assert only.stdout == "2\n"
    assert "→ First" not in only.stderr
    left = cli("debug", "machine:add", "-i", '{"n": 1}', input="q\n")
    assert left.returncode == 0
    killed = cli("debug", "machine:add", "-i", '{"n": 1}', input="k\n")
    assert killed.returncode == 4
    assert "ABORTED" in killed.stderr


def test_what_a_debugger_changed_survives_the_node(start_node: Any, account: str) -> None:
    node = start_node()
    states = node.client("stepfunctions", account)
    last = {"Type": "Wait", "Seconds": 3600, "Next": "Sum"}
    definition = {"QueryLanguage": "JSONata", "StartAt": "Wait", "States": {"Wait": last}}
    definition["States"]["Sum"] = {"Type": "Pass", "Output": "{% $x + $states.input.n %}", "End": True}  # type: ignore[index]
    role = f"arn:aws:iam::{account}:role/machine"
    arn = states.create_state_machine(name="m", definition=json.dumps(definition), roleArn=role)["stateMachineArn"]
    execution = arn.replace(":stateMachine:", ":execution:") + ":one"
    node.post("/_cumulet/executions/debug", {"execution": execution, "breaks": ["Wait"]})
    states.start_execution(stateMachineArn=arn, name="one", input='{"n": 1}')
    deadline = time.monotonic() + 60
    while not (seen := node.post("/_cumulet/executions/debug", {"execution": execution}))["stops"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert [stop["state"] for stop in seen["stops"]] == ["Wait"]
    stop = seen["stops"][0]["frame"]
    changed = {"execution": execution, "stop": stop, "input": '{"n": 2}', "variables": {"x": 40}}
    node.post("/_cumulet/executions/step", changed)
    node.kill()
    node.start()
    states = node.client("stepfunctions", account)
    node.post("/_cumulet/clock", {"advance": 3601})
    while (found := states.describe_execution(executionArn=execution))["status"] == "RUNNING":
        pass
    assert (found["status"], found["output"]) == ("SUCCEEDED", "42")
