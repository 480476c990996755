"""The protocol under the SDK: what may be checkpointed, and by whom. The handler is a few lines that speak it by hand."""

import json
from typing import Any

import pytest

Workflows = Any

HAND = """
import json, boto3
from botocore.exceptions import ClientError

def handler(event, context):
    client = boto3.client("lambda")
    arn, token = event["DurableExecutionArn"], event["CheckpointToken"]
    first = event["InitialExecutionState"]["Operations"][0]
    asked = json.loads(first["ExecutionDetails"]["InputPayload"])
    results = []
    for updates in asked:
        try:
            answer = client.checkpoint_durable_execution(
                DurableExecutionArn=arn, CheckpointToken=token, Updates=updates)
        except ClientError as error:
            results.append(error.response["Error"]["Message"])
        else:
            token = answer["CheckpointToken"]
            results.append([
                {name: operation.get(name) for name in ("Id", "Type", "Status")}
                for operation in answer["NewExecutionState"]["Operations"]])
    return {"Status": "SUCCEEDED", "Result": json.dumps(results)}
"""


def step(action: str, id: str = "a", **members: Any) -> dict[str, Any]:
    return {"Id": id, "Type": "STEP", "Action": action, **members}


START, SUCCEED = step("START"), step("SUCCEED", Payload="1")
WAIT = {"Id": "w", "Type": "WAIT", "Action": "START", "WaitOptions": {"WaitSeconds": 10}}
CONTEXT = {"Id": "c", "Type": "CONTEXT", "Action": "START"}
INVOKE = {"Id": "i", "Type": "CHAINED_INVOKE", "Action": "START"}


@pytest.fixture
def checkpoint(workflows: Workflows) -> Any:
    """Makes each of its lists of updates one checkpoint; gives what each was answered with."""

    def run(*checkpoints: list[Any]) -> Any:
        workflows.make("hand", HAND, sdk=False)
        return workflows.result(workflows.start("hand", checkpoints))

    return run


def test_an_answer_holds_what_changed_since_the_last_one(checkpoint: Any) -> None:
    assert checkpoint([START], [SUCCEED, WAIT], []) == [
        [{"Id": "a", "Type": "STEP", "Status": "STARTED"}],
        [{"Id": "a", "Type": "STEP", "Status": "SUCCEEDED"}, {"Id": "w", "Type": "WAIT", "Status": "STARTED"}],
        [],
    ]


@pytest.mark.parametrize(
    ("updates", "message"),
    [
        ([[START], [START]], "Invalid current STEP state to start."),
        ([[START, SUCCEED], [SUCCEED]], "Invalid current STEP state to close."),
        ([[START, START]], "Cannot checkpoint multiple operations with the same ID."),
        ([[SUCCEED, START]], "Cannot checkpoint multiple operations with the same ID."),
        ([[WAIT], [WAIT]], "Cannot start a WAIT that already exist."),
        ([[WAIT, WAIT]], "Cannot checkpoint multiple operations with the same ID."),
        ([[step("CANCEL")]], "Invalid action for the given operation type."),
        ([[{"Id": "w", "Type": "WAIT", "Action": "SUCCEED"}]], "Invalid action for the given operation type."),
        ([[CONTEXT], [CONTEXT]], "Cannot start a CONTEXT that already exist."),
        ([[step("START", ParentId="nobody")]], "Invalid parent operation id."),
        ([[START], [step("START", "b", ParentId="a")]], "Invalid parent operation id."),
        ([[step("START", Name="x")], [step("SUCCEED", Name="y")]], "Inconsistent operation name."),
        ([[START], [{**WAIT, "Id": "a"}]], "Inconsistent operation type."),
        ([[step("RETRY")]], "Invalid StepOptions for the given action."),
        ([[step("FAIL", Payload="1")]], "Cannot provide a Payload for FAIL action."),
        ([[step("SUCCEED", Error={"ErrorMessage": "x"})]], "Cannot provide an Error for SUCCEED action."),
        ([[step("FAIL", Error={"ErrorData": "x" * 40_000})]], "Error object size must be less than 32768 bytes."),
        ([[INVOKE]], "Update for CHAINED_INVOKE operation requires ChainedInvokeOptions."),
        (
            [
                [
                    {
                        **INVOKE,
                        "ChainedInvokeOptions": {"FunctionName": "arn:aws:lambda:us-east-1:999999999999:function:x"},
                    }
                ]
            ],
            "Cannot start a CHAINED_INVOKE on a function in another account.",
        ),
        (
            [[{"Id": "e", "Type": "EXECUTION", "Action": "SUCCEED"}, START]],
            "EXECUTION checkpoint must be the last update.",
        ),
    ],
)
def test_what_is_refused_changes_nothing(checkpoint: Any, updates: Any, message: str) -> None:
    *_, refused, after = checkpoint(*updates, [])
    assert refused == message
    assert after == []


def test_a_token_is_good_once(workflows: Workflows) -> None:
    source = HAND.replace('token = answer["CheckpointToken"]', "pass")
    workflows.make("stale", source, sdk=False)
    first, second = workflows.result(workflows.start("stale", [[START], [SUCCEED]]))
    assert first == [{"Id": "a", "Type": "STEP", "Status": "STARTED"}]
    assert second == "Invalid checkpoint token"


def test_a_client_that_repeats_itself_gets_the_same_answer(workflows: Workflows) -> None:
    source = HAND.replace('token = answer["CheckpointToken"]', "pass").replace(
        "CheckpointToken=token, ", "CheckpointToken=token, ClientToken='once', "
    )
    workflows.make("again", source, sdk=False)
    first, second = workflows.result(workflows.start("again", [[START], [SUCCEED]]))
    assert first == second == [{"Id": "a", "Type": "STEP", "Status": "STARTED"}]


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ('"text"', "Invalid invocation output"),
        ('{"Status": "DONE"}', "Invalid invocation output"),
        ('{"Status": "FAILED", "Result": "1"}', "Cannot provide a Result for FAILED status."),
        ('{"Status": "SUCCEEDED", "Error": {"ErrorMessage": "x"}}', "Cannot provide an Error for SUCCEEDED status."),
    ],
)
def test_a_handler_that_gives_back_something_else(workflows: Workflows, output: str, message: str) -> None:
    workflows.make("odd", f"import json\ndef handler(event, context): return json.loads({output!r})\n", sdk=False)
    arn = workflows.start("odd")
    workflows.until(arn, "ExecutionFailed")
    error = workflows.get(arn)["Error"]
    assert error["ErrorType"] == "InvalidParameterValueException"
    assert error["ErrorMessage"].startswith(message)


def test_pending_without_anything_to_wait_for(workflows: Workflows, advance: Any) -> None:
    workflows.make("idle", "def handler(event, context): return {'Status': 'PENDING'}\n", sdk=False)
    arn = workflows.start("idle")
    for attempt in range(3):
        workflows.suspended(arn, attempt + 1)
        advance(10)
    workflows.until(arn, "ExecutionFailed")
    assert workflows.get(arn)["Error"]["ErrorMessage"] == "Cannot return PENDING status with no pending operations."


def test_a_handler_that_crashes_is_invoked_again(workflows: Workflows, advance: Any) -> None:
    workflows.make("crash", "import os\ndef handler(event, context): os._exit(3)\n", sdk=False)
    arn = workflows.start("crash")
    for attempt in range(5):
        workflows.suspended(arn, attempt + 1)
        advance(10)
    workflows.until(arn, "ExecutionFailed")
    assert workflows.get(arn)["Error"]["ErrorType"] == "Runtime.ExitError"


def test_a_large_state_comes_in_pages(workflows: Workflows, advance: Any) -> None:
    source = """
import boto3
def handler(event, context):
    client = boto3.client("lambda")
    arn, token, state = event["DurableExecutionArn"], event["CheckpointToken"], event["InitialExecutionState"]
    operations, marker = state["Operations"], state["NextMarker"]
    while marker:
        page = client.get_durable_execution_state(DurableExecutionArn=arn, CheckpointToken=token, Marker=marker)
        operations += page["Operations"]
        marker = page.get("NextMarker")
    if len(operations) > 1:
        return {"Status": "SUCCEEDED", "Result": str(len(operations))}
    for number in range(8):
        step = {"Id": f"s{number}", "Type": "STEP"}
        answer = client.checkpoint_durable_execution(DurableExecutionArn=arn, CheckpointToken=token, Updates=[
            {**step, "Action": "START"}, {**step, "Action": "SUCCEED", "Payload": "x" * 1_000_000}])
        token = answer["CheckpointToken"]
    client.checkpoint_durable_execution(DurableExecutionArn=arn, CheckpointToken=token, Updates=[
        {"Id": "w", "Type": "WAIT", "Action": "START", "WaitOptions": {"WaitSeconds": 5}}])
    return {"Status": "PENDING"}
"""
    workflows.make("large", source, sdk=False)
    arn = workflows.start("large")
    workflows.suspended(arn)
    advance(10)
    assert workflows.result(arn) == 10


def test_nobody_else_may_checkpoint(workflows: Workflows) -> None:
    workflows.make("closed", "def handler(event, context): return {'Status': 'SUCCEEDED', 'Result': '1'}\n", sdk=False)
    arn = workflows.start("closed", json.dumps({}))
    workflows.until(arn, "ExecutionSucceeded")
    with pytest.raises(workflows.functions.exceptions.InvalidParameterValueException, match="Invalid checkpoint token"):
        workflows.functions.checkpoint_durable_execution(DurableExecutionArn=arn, CheckpointToken="AAAA", Updates=[])
