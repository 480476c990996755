"""Tasks as workflows see them: scheduled, completed by a token, timed out, retried, and workflows that failed and go on."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.services.stepfunctions.engine.conftest import Workflows

SEND = "arn:aws:states:::sqs:sendMessage"
PASS: dict[str, Any] = {"Type": "Pass", "End": True}


class Queue:
    """Where tasks send to."""

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self.url = client.create_queue(QueueName=name)["QueueUrl"]

    def receive(self) -> Any:
        tries = (self._client.receive_message(QueueUrl=self.url, WaitTimeSeconds=20) for _ in range(4))
        message = next(found["Messages"][0] for found in tries if "Messages" in found)
        self._client.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        return json.loads(message["Body"])


@pytest.fixture
def queue(client: Callable[..., Any]) -> Queue:
    return Queue(client("sqs"), "told")


def _asking(queue: Queue, **options: Any) -> dict[str, Any]:
    """A task that waits for its token."""
    parameters = {"QueueUrl": queue.url, "MessageBody": {"token.$": "$$.Task.Token"}}
    task = {"Type": "Task", "Resource": f"{SEND}.waitForTaskToken", "Parameters": parameters}
    return {**task, "End": True, **options}


def _code(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def test_a_task_that_answers(workflows: Workflows, queue: Queue) -> None:
    task = {
        "Type": "Task",
        "Resource": SEND,
        "Parameters": {"QueueUrl": queue.url, "MessageBody": {"a": 1}},
        "End": True,
    }
    arn = workflows.start(workflows.machine({"Send": task}))
    assert "MessageId" in json.loads(workflows.ended(arn)["output"])
    assert queue.receive() == {"a": 1}
    events = workflows.events(arn)
    assert [(event["previousEventId"], event["type"]) for event in events[2:]] == [
        (2, "TaskScheduled"),
        (3, "TaskStarted"),
        (4, "TaskSucceeded"),
        (5, "TaskStateExited"),
        (6, "ExecutionSucceeded"),
    ]
    scheduled = events[2]["taskScheduledEventDetails"]
    assert json.loads(scheduled.pop("parameters")) == {"QueueUrl": queue.url, "MessageBody": {"a": 1}}
    assert scheduled == {"resourceType": "sqs", "resource": "sendMessage", "region": "us-east-1"}


def test_a_token_completes_a_task(workflows: Workflows, queue: Queue) -> None:
    arn = workflows.start(workflows.machine({"Ask": _asking(queue)}))
    token = queue.receive()["token"]
    workflows.until(arn, "TaskSubmitted")
    workflows.client.send_task_success(taskToken=token, output='{"answer": 42}')
    assert json.loads(workflows.ended(arn)["output"]) == {"answer": 42}
    with pytest.raises(ClientError) as refused:
        workflows.client.send_task_success(taskToken=token, output="{}")
    assert _code(refused) == "TaskTimedOut"


def test_a_token_fails_a_task(workflows: Workflows, queue: Queue) -> None:
    catch = [{"ErrorEquals": ["Odd"], "Next": "Caught"}]
    arn = workflows.start(workflows.machine({"Ask": _asking(queue, Catch=catch), "Caught": PASS}))
    workflows.client.send_task_failure(taskToken=queue.receive()["token"], error="Odd", cause="It was odd.")
    assert json.loads(workflows.ended(arn)["output"]) == {"Error": "Odd", "Cause": "It was odd."}
    failed = workflows.until(arn, "TaskFailed")[0]["taskFailedEventDetails"]
    assert (failed["error"], failed["cause"], failed["resource"]) == (
        "Odd",
        "It was odd.",
        "sendMessage.waitForTaskToken",
    )


@pytest.mark.parametrize("operation", ["send_task_success", "send_task_failure", "send_task_heartbeat"])
def test_tokens_that_are_none(workflows: Workflows, operation: str) -> None:
    given = {"output": "{}"} if operation == "send_task_success" else {}
    with pytest.raises(ClientError) as refused:
        getattr(workflows.client, operation)(taskToken="none", **given)
    assert _code(refused) == "InvalidToken"


def test_output_that_is_none(workflows: Workflows, queue: Queue) -> None:
    arn = workflows.start(workflows.machine({"Ask": _asking(queue)}))
    token = queue.receive()["token"]
    with pytest.raises(ClientError) as refused:
        workflows.client.send_task_success(taskToken=token, output="{no")
    assert _code(refused) == "InvalidOutput"
    workflows.client.send_task_success(taskToken=token, output="1")
    assert workflows.ended(arn)["output"] == "1"


def test_heartbeats(workflows: Workflows, queue: Queue, advance: Callable[[float], None]) -> None:
    arn = workflows.start(workflows.machine({"Ask": _asking(queue, HeartbeatSeconds=600, TimeoutSeconds=6_000)}))
    token = queue.receive()["token"]
    workflows.until(arn, "TaskSubmitted")
    for _ in range(3):
        advance(400)
        workflows.client.send_task_heartbeat(taskToken=token)
    assert workflows.client.describe_execution(executionArn=arn)["status"] == "RUNNING"
    advance(601)
    found = workflows.ended(arn)
    assert (found["status"], found["error"]) == ("FAILED", "States.Timeout")
    with pytest.raises(ClientError) as refused:
        workflows.client.send_task_heartbeat(taskToken=token)
    assert _code(refused) == "TaskTimedOut"


def test_a_missed_heartbeat_has_a_name_of_its_own(workflows: Workflows, queue: Queue) -> None:
    catch = [{"ErrorEquals": ["States.HeartbeatTimeout"], "Next": "Caught"}]
    states = {
        "Ask": _asking(queue, HeartbeatSeconds=60, Catch=catch),
        "Caught": {"Type": "Pass", "Result": 1, "End": True},
    }
    assert workflows.ended(workflows.start(workflows.machine(states)), 61)["output"] == "1"


def test_a_task_that_takes_too_long(workflows: Workflows, queue: Queue, advance: Callable[[float], None]) -> None:
    retry = [{"ErrorEquals": ["States.Timeout"], "MaxAttempts": 1, "IntervalSeconds": 300}]
    arn = workflows.start(workflows.machine({"Ask": _asking(queue, TimeoutSeconds=60, Retry=retry)}))
    first = queue.receive()["token"]
    advance(61)
    workflows.until(arn, "TaskTimedOut")
    advance(301)
    assert queue.receive()["token"] != first
    found = workflows.ended(arn, 61)
    assert found["error"] == "States.Timeout"
    assert "cause" not in found
    types = workflows.types(arn)
    assert types.count("TaskScheduled") == types.count("TaskTimedOut") == 2
    assert types.count("TaskStateEntered") == 1


def test_retries_wait_longer_each_time(workflows: Workflows, advance: Callable[[float], None]) -> None:
    retry = [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1_000, "BackoffRate": 3, "MaxAttempts": 2}]
    task = {
        "Type": "Task",
        "Resource": SEND,
        "Parameters": {"QueueUrl": "http://127.0.0.1:4566/000000000000/none", "MessageBody": "x"},
        "Retry": retry,
        "End": True,
    }
    arn = workflows.start(workflows.machine({"Send": task}))
    workflows.until(arn, "TaskFailed")
    advance(800)  # real time passes too
    assert workflows.types(arn).count("TaskScheduled") == 1
    advance(200)
    workflows.until(arn, "TaskFailed", 2)
    advance(2_800)
    assert workflows.types(arn).count("TaskScheduled") == 2
    advance(200)
    assert workflows.ended(arn)["error"] == "SQS.QueueDoesNotExistException"
    assert workflows.types(arn).count("TaskScheduled") == 3


def test_a_machine_that_takes_too_long(workflows: Workflows) -> None:
    states = {"Wait": {"Type": "Wait", "Seconds": 3600, "End": True}}
    found = workflows.run(states, jump=61, TimeoutSeconds=60)
    assert found["status"] == "TIMED_OUT"


def test_redriven_from_where_it_failed(workflows: Workflows, client: Callable[..., Any], queue: Queue) -> None:
    sqs = client("sqs")
    later = queue.url.replace("told", "later")
    send = {"Type": "Task", "Resource": SEND, "ResultPath": None}
    states = {
        "First": {**send, "Parameters": {"QueueUrl": queue.url, "MessageBody": {"a": 1}}, "Next": "Second"},
        "Second": {**send, "Parameters": {"QueueUrl": later, "MessageBody": {"b": 2}}, "End": True},
    }
    arn = workflows.start(workflows.machine(states), {"x": 1})
    found = workflows.ended(arn)
    assert (found["status"], found["redriveStatus"], found["redriveCount"]) == ("FAILED", "REDRIVABLE", 0)
    sqs.create_queue(QueueName="later")
    workflows.client.redrive_execution(executionArn=arn)
    found = workflows.ended(arn)
    assert (found["status"], json.loads(found["output"]), found["redriveCount"]) == ("SUCCEEDED", {"x": 1}, 1)
    types = workflows.types(arn)
    assert types.count("TaskStateEntered") == 2
    assert types[types.index("ExecutionRedriven") :] == [
        "ExecutionRedriven",
        "TaskScheduled",
        "TaskStarted",
        "TaskSucceeded",
        "TaskStateExited",
        "ExecutionSucceeded",
    ]
    with pytest.raises(ClientError) as refused:
        workflows.client.redrive_execution(executionArn=arn)
    assert _code(refused) == "ExecutionNotRedrivable"


def test_only_the_branches_that_failed_are_redriven(
    workflows: Workflows, client: Callable[..., Any], queue: Queue
) -> None:
    later = queue.url.replace("told", "later")
    send = {"Type": "Task", "Resource": SEND, "ResultPath": None, "End": True}
    good = {**send, "Parameters": {"QueueUrl": queue.url, "MessageBody": {"a": 1}}}
    bad = {**send, "Parameters": {"QueueUrl": later, "MessageBody": {"b": 2}}}
    slow = {"Type": "Wait", "Seconds": 30, "Next": "Bad"}
    branches = [
        {"StartAt": "Good", "States": {"Good": good}},
        {"StartAt": "Slow", "States": {"Slow": slow, "Bad": bad}},
    ]
    arn = workflows.start(workflows.machine({"Both": {"Type": "Parallel", "Branches": branches, "End": True}}), 5)
    workflows.until(arn, "TaskSucceeded")  # the good branch is done
    assert workflows.ended(arn, 30)["status"] == "FAILED"
    client("sqs").create_queue(QueueName="later")
    workflows.client.redrive_execution(executionArn=arn)
    assert json.loads(workflows.ended(arn)["output"]) == [5, 5]
    scheduled = [
        json.loads(e["taskScheduledEventDetails"]["parameters"]) for e in workflows.until(arn, "TaskScheduled")
    ]
    assert [parameters["QueueUrl"] for parameters in scheduled].count(queue.url) == 1
    assert [parameters["QueueUrl"] for parameters in scheduled].count(later) == 2


def test_an_activity(workflows: Workflows) -> None:
    activity = workflows.client.create_activity(name="work")["activityArn"]
    arn = workflows.start(workflows.machine({"Work": {"Type": "Task", "Resource": activity, "End": True}}), {"a": 1})
    task = workflows.client.get_activity_task(activityArn=activity, workerName="me")
    assert json.loads(task["input"]) == {"a": 1}
    workflows.client.send_task_success(taskToken=task["taskToken"], output="7")
    assert workflows.ended(arn)["output"] == "7"
    events = workflows.events(arn)
    assert [event["type"] for event in events[2:5]] == ["ActivityScheduled", "ActivityStarted", "ActivitySucceeded"]
    assert events[3]["activityStartedEventDetails"] == {"workerName": "me"}


def test_variables_are_those_of_the_scope(workflows: Workflows) -> None:
    inner = {"Type": "Pass", "Assign": {"y": "{% $x + $states.context.Map.Item.Index %}"}, "Next": "Show"}
    show = {"Type": "Pass", "Output": "{% $y %}", "End": True}
    states = {
        "Set": {"Type": "Pass", "Assign": {"x": 10}, "Next": "Each"},
        "Each": {
            "Type": "Map",
            "Items": [1, 2, 3],
            "ItemProcessor": {"StartAt": "Add", "States": {"Add": inner, "Show": show}},
            "End": True,
        },
    }
    found = workflows.run(states, QueryLanguage="JSONata")
    assert json.loads(found["output"]) == [10, 11, 12]
