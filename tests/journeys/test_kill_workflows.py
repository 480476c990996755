"""`kill -9` at random moments while workflows run: every one ends as if nothing had happened, and no completed task is repeated.

Three kills a run by default; `pytest tests/journeys/test_kill_workflows.py --kills 50` is the long form.
"""

import json
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from tests.conftest import NodeProcess

ACCOUNT = "111111111111"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/workflow"
EXECUTIONS = 200
ITEMS = 3
PATIENCE = 180.0


def _send(queue: str, name: str, token: bool = False, **options: Any) -> dict[str, Any]:
    """A task that tells a queue which execution does which state."""
    body: dict[str, Any] = {"execution.$": "$$.Execution.Name", "state": name, "input.$": "$"}
    if token:
        body["token.$"] = "$$.Task.Token"
    resource = "arn:aws:states:::sqs:sendMessage" + (".waitForTaskToken" if token else "")
    parameters = {"QueueUrl": queue, "MessageBody": body}
    return {"Type": "Task", "Resource": resource, "Parameters": parameters, "ResultPath": None, **options}


def _flow(**states: Any) -> dict[str, Any]:
    return {"StartAt": next(iter(states)), "States": states}


def _definition(done: str, asked: str, child: str, activity: str) -> dict[str, Any]:
    """Every type of state, and every way to wait."""
    wait = {"Type": "Wait", "Seconds": 1}
    each = _flow(Told=_send(done, "each", Next="Rest"), Rest={**wait, "End": True})
    spread = _flow(Piece=_send(done, "piece", Next="Pause each"), **{"Pause each": {**wait, "End": True}})
    both = [
        _flow(Side=_send(done, "side", End=True)),
        _flow(Pause={**wait, "Next": "Mark"}, Mark={"Type": "Pass", "Result": "marked", "End": True}),
    ]
    broken = _flow(Break={"Type": "Fail", "Error": "Broken", "Cause": "always"})
    retry = [{"ErrorEquals": ["Broken"], "IntervalSeconds": 1, "MaxAttempts": 1}]
    return _flow(
        Begin={"Type": "Pass", "Parameters": {"n.$": "$.n", "items": list(range(ITEMS))}, "Next": "Choose"},
        Choose={"Type": "Choice", "Choices": [{"Variable": "$.n", "NumericLessThan": 0, "Next": "No"}], "Default": "Tell"},
        No={"Type": "Fail"},
        Tell=_send(done, "tell", Next="Wait"),
        Wait={**wait, "Next": "Both"},
        Both={"Type": "Parallel", "Branches": both, "ResultSelector": {"b.$": "$[1]"}, "ResultPath": "$.both", "Next": "Each"},
        Each={"Type": "Map", "ItemsPath": "$.items", "MaxConcurrency": 2, "ItemProcessor": each, "ResultPath": "$.each", "Next": "Ask"},
        Ask=_send(asked, "ask", True, ResultPath="$.answer", Next="Child"),
        Child={
            "Type": "Task",
            "Resource": "arn:aws:states:::states:startExecution.sync:2",
            "Parameters": {"StateMachineArn": child, "Input": {"n.$": "$.n"}},
            "ResultSelector": {"output.$": "$.Output"},
            "ResultPath": "$.child",
            "Next": "Work",
        },
        Work={
            "Type": "Task",
            "Resource": activity,
            "InputPath": "$.n",
            "HeartbeatSeconds": 5,  # a kill may take the answer that has the task
            "Retry": [{"ErrorEquals": ["States.Timeout"], "IntervalSeconds": 1, "MaxAttempts": 20, "BackoffRate": 1}],
            "ResultPath": "$.work",
            "Next": "Spread",
        },
        Spread={
            "Type": "Map",
            "Label": "Spread",
            "ItemsPath": "$.items",
            "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, **spread},
            "ResultPath": "$.spread",
            "Next": "Try",
        },
        Try={
            "Type": "Parallel",
            "Branches": [broken],
            "Retry": retry,
            "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "Last"}],
            "End": True,
        },
        Last=_send(done, "last", Next="End"),
        End={"Type": "Succeed"},
    )  # fmt: skip


def _output(n: int) -> dict[str, Any]:
    return {
        "n": n,
        "items": list(range(ITEMS)),
        "both": {"b": "marked"},
        "each": list(range(ITEMS)),
        "answer": {"answered": n},
        "child": {"output": {"n": n}},
        "work": {"worked": n},
        "spread": list(range(ITEMS)),
        "error": {"Error": "Broken", "Cause": "always"},
    }


class Helper(threading.Thread):
    """Does something again and again, whether the node lives or not."""

    def __init__(self, work: Callable[[], None]) -> None:
        super().__init__(daemon=True)
        self._work = work
        self.ended = threading.Event()

    def run(self) -> None:
        while not self.ended.is_set():
            try:
                self._work()
            except (BotoCoreError, ClientError):
                time.sleep(0.1)


class Stage:
    """The machines, and those who answer them."""

    def __init__(self, node: NodeProcess) -> None:
        self.node = node
        self._clients: dict[tuple[str, str], Any] = {}
        self.told: dict[tuple[str, str, str], set[str]] = {}
        sqs, states = node.client("sqs", ACCOUNT), node.client("stepfunctions", ACCOUNT)
        self.queues = {}
        for name in ("done", "asked"):
            address = sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "5"})["QueueUrl"]
            self.queues[name] = address.partition(f"/{ACCOUNT}/")[1] + name
        done, asked = (f"http://127.0.0.1:4566/{ACCOUNT}/{name}" for name in ("done", "asked"))
        self.activity = states.create_activity(name="work")["activityArn"]
        wait = {"Type": "Wait", "Seconds": 1, "End": True}
        child = self._machine(states, "child", _flow(Rest=wait))
        self.machine = self._machine(states, "main", _definition(done, asked, child, self.activity))

    def client(self, name: str) -> Any:
        """One for each node: making one takes longer than most calls."""
        place = (self.node.endpoint, name)
        if place not in self._clients:
            self._clients[place] = self.node.client(name, ACCOUNT)
        return self._clients[place]

    def _machine(self, states: Any, name: str, definition: dict[str, Any]) -> str:
        made = states.create_state_machine(name=name, definition=json.dumps(definition), roleArn=ROLE)
        return str(made["stateMachineArn"])

    def _messages(self, name: str) -> list[dict[str, Any]]:
        queue = self.node.endpoint + self.queues[name]
        answer = self.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        messages: list[dict[str, Any]] = answer.get("Messages", [])
        return messages

    def _delete(self, name: str, messages: list[dict[str, Any]]) -> None:
        queue = self.node.endpoint + self.queues[name]
        entries = [{"Id": str(place), "ReceiptHandle": one["ReceiptHandle"]} for place, one in enumerate(messages)]
        if entries:
            self.client("sqs").delete_message_batch(QueueUrl=queue, Entries=entries)

    def answer(self) -> None:
        """Complete what waits for a token."""
        messages = self._messages("asked")
        for message in messages:
            body = json.loads(message["Body"])
            output = json.dumps({"answered": body["input"]["n"]})
            self._tell(body["token"], output)
        self._delete("asked", messages)

    def work(self) -> None:
        """Do an activity's task."""
        task = self.client("stepfunctions").get_activity_task(activityArn=self.activity, workerName="worker")
        if task.get("taskToken"):
            output = json.dumps({"worked": json.loads(task["input"])})
            self._tell(task["taskToken"], output)

    def _tell(self, token: str, output: str) -> None:
        """Until it is acknowledged, or nobody waits for it any more: another node may be there by then."""
        while True:
            try:
                self.client("stepfunctions").send_task_success(taskToken=token, output=output)
            except BotoCoreError:
                time.sleep(0.1)
            except ClientError:
                return
            else:
                return

    def gather(self) -> None:
        """Remember which messages tasks have sent."""
        messages = self._messages("done")
        for message in messages:
            body = json.loads(message["Body"])
            what = str(body["input"]) if body["state"] == "each" else ""
            self.told.setdefault((body["execution"], body["state"], what), set()).add(message["MessageId"])
        self._delete("done", messages)


def _start(stage: Stage, names: list[str]) -> None:
    """Start executions, each until it is acknowledged: the same name is the same execution."""
    for name in names:
        given = {"stateMachineArn": stage.machine, "name": name, "input": json.dumps({"n": int(name)})}
        while True:
            try:
                stage.client("stepfunctions").start_execution(**given)
            except BotoCoreError:
                time.sleep(0.05)
            except ClientError as error:
                if error.response["Error"]["Code"] == "ExecutionAlreadyExists":
                    break
                raise
            else:
                break


def _events(client: Any, arn: str) -> list[dict[str, Any]]:
    pages = client.get_paginator("get_execution_history").paginate(executionArn=arn)
    return [event for page in pages for event in page["events"]]


def _check(client: Any, arn: str, name: str, earlier: dict[str, list[dict[str, Any]]]) -> None:
    found = client.describe_execution(executionArn=arn)
    events = _events(client, arn)
    assert found["status"] == "SUCCEEDED", (found, [event["type"] for event in events])
    assert json.loads(found["output"]) == _output(int(name))
    assert [event["id"] for event in events] == list(range(1, len(events) + 1))
    seen = earlier.get(arn, [])
    assert events[: len(seen)] == seen  # what was told once stays so
    types = Counter(event["type"] for event in events)
    assert types["MapRunStarted"] == types["MapRunSucceeded"] == 1
    tasks = 4 + ITEMS + 1  # tell, side, ask, last; each; child
    assert types["TaskScheduled"] == types["TaskSucceeded"] == tasks
    assert types["ActivityScheduled"] == types["ActivitySucceeded"] + types["ActivityTimedOut"]
    assert types["ActivitySucceeded"] == 1
    entered = Counter(
        event["stateEnteredEventDetails"]["name"] for event in events if event["type"].endswith("StateEntered")
    )
    assert {state: count for state, count in entered.items() if count > 1} == {"Told": ITEMS, "Rest": ITEMS, "Break": 2}


@pytest.mark.timeout(1_500)
def test_every_workflow_ends(start_node: Callable[..., NodeProcess], request: pytest.FixtureRequest) -> None:
    chance = random.Random(20_260_302)
    kills = request.config.getoption("--kills")
    node = start_node()
    stage = Stage(node)
    helpers = [Helper(work) for work in (stage.answer, stage.answer, stage.work, stage.work, stage.gather)]
    for helper in helpers:
        helper.start()
    names = [str(number) for number in range(EXECUTIONS)]
    starter = threading.Thread(target=_start, args=(stage, names), daemon=True)
    starter.start()
    earlier: dict[str, list[dict[str, Any]]] = {}
    arns = {name: stage.machine.replace(":stateMachine:", ":execution:") + f":{name}" for name in names}
    for _ in range(kills):
        time.sleep(chance.uniform(0.3, 2.0))
        node.kill()
        node.start()
        client = node.client("stepfunctions", ACCOUNT)
        for name in chance.sample(names, 5):
            try:
                earlier[arns[name]] = _events(client, arns[name])
            except client.exceptions.ExecutionDoesNotExist:
                continue
    starter.join(PATIENCE)
    client = node.client("stepfunctions", ACCOUNT)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        running = client.list_executions(stateMachineArn=stage.machine, statusFilter="RUNNING")["executions"]
        if not running:
            break
        time.sleep(0.5)
    for name in names:
        _check(client, arns[name], name, earlier)
    wanted = {(name, state, "") for name in names for state in ("tell", "side", "last")}
    deadline = time.monotonic() + PATIENCE
    while not wanted <= set(stage.told) and time.monotonic() < deadline:
        time.sleep(0.5)
    for helper in helpers:
        helper.ended.set()
    assert wanted - set(stage.told) == set()
    repeated = sum(len(ids) - 1 for ids in stage.told.values())
    sys.stdout.write(
        f"{EXECUTIONS} workflows, {kills} kills, {repeated} tasks that a kill interrupted were done again\n"
    )
    assert max(len(ids) for ids in stage.told.values()) <= kills + 1
    assert repeated < len(stage.told) / 4
