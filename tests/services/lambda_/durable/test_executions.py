"""Durable functions written with AWS's SDK."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

Workflows = Any

STEPS = """
@durable_execution
def handler(event, context):
    first = context.step(lambda _: event["n"] + 1, name="add")
    context.wait(Duration.from_seconds(3600), name="an hour")
    return context.step(lambda _: {"sum": first, "again": True}, name="report")
"""


def code(error: pytest.ExceptionInfo[ClientError]) -> tuple[str, str]:
    return error.value.response["Error"]["Code"], error.value.response["Error"]["Message"]


def test_steps_and_a_wait_that_takes_no_time(workflows: Workflows, advance: Callable[[float], Any]) -> None:
    workflows.make("order", STEPS, ExecutionTimeout=86_400)
    arn = workflows.start("order", {"n": 41})
    events = workflows.suspended(arn)
    assert workflows.get(arn)["Status"] == "RUNNING"
    started = next(event for event in events if event["EventType"] == "WaitStarted")
    assert started["WaitStartedDetails"]["Duration"] == 3600
    advance(3600)
    assert workflows.result(arn) == {"sum": 42, "again": True}
    assert workflows.kinds(arn) == [
        "ExecutionStarted",
        "StepStarted",
        "StepSucceeded",
        "WaitStarted",
        "WaitSucceeded",
        "StepStarted",
        "StepSucceeded",
        "ExecutionSucceeded",
    ]
    events = workflows.history(arn, IncludeExecutionData=True)
    assert [event["EventId"] for event in events] == list(range(1, len(events) + 1))
    assert events[0]["ExecutionStartedDetails"] == {
        "Input": {"Payload": '{"n": 41}', "Truncated": False},
        "ExecutionTimeout": 86_400,
    }
    first = next(event for event in events if event["EventType"] == "StepSucceeded")
    assert first["Name"] == "add"
    assert first["StepSucceededDetails"] == {
        "Result": {"Payload": "42", "Truncated": False},
        "RetryDetails": {"CurrentAttempt": 1},
    }


def test_a_caller_can_wait_for_the_end(workflows: Workflows) -> None:
    workflows.make(
        "now", "@durable_execution\ndef handler(event, context):\n    return context.step(lambda _: event)\n"
    )
    answer = workflows.functions.invoke(FunctionName="now:$LATEST", Payload=b'{"a": 1}')
    assert json.loads(answer["Payload"].read()) == {"a": 1}
    assert answer["ExecutedVersion"] == "$LATEST"
    execution = workflows.get(answer["DurableExecutionArn"])
    assert execution["Status"] == "SUCCEEDED"
    assert execution["InputPayload"] == '{"a": 1}'
    assert execution["FunctionArn"].endswith(":function:now:$LATEST")
    assert execution["DurableConfig"] == {"RetentionPeriodInDays": 14, "ExecutionTimeout": 600}


def test_what_fails_says_how(workflows: Workflows) -> None:
    workflows.make("bad", "@durable_execution\ndef handler(event, context):\n    raise ValueError('no good')\n")
    answer = workflows.functions.invoke(FunctionName="bad:$LATEST", Payload=b"{}")
    assert answer["FunctionError"] == "Unhandled"
    document = json.loads(answer["Payload"].read())
    assert (document["errorType"], document["errorMessage"]) == ("ValueError", "no good")
    execution = workflows.get(answer["DurableExecutionArn"])
    assert execution["Status"] == "FAILED"
    assert execution["Error"]["ErrorType"] == "ValueError"


def test_a_step_is_tried_again_after_its_delay(workflows: Workflows, advance: Callable[[float], Any]) -> None:
    workflows.make(
        "retry",
        """
from aws_durable_execution_sdk_python.retries import RetryStrategyConfig, create_retry_strategy, JitterStrategy

tries = create_retry_strategy(RetryStrategyConfig(
    max_attempts=3, initial_delay=Duration.from_seconds(100), jitter_strategy=JitterStrategy.NONE))

def flaky(step):
    if step.attempt < 3:
        raise RuntimeError(f"attempt {step.attempt}")
    return "done"

@durable_execution
def handler(event, context):
    return context.step(flaky, name="flaky", config=StepConfig(retry_strategy=tries))
""",
    )
    arn = workflows.start("retry")
    workflows.suspended(arn)
    advance(150)
    workflows.suspended(arn, 2)
    advance(250)
    assert workflows.result(arn) == "done"
    failed = [event for event in workflows.history(arn) if event["EventType"] == "StepFailed"]
    assert [event["StepFailedDetails"]["RetryDetails"]["CurrentAttempt"] for event in failed] == [1, 2]
    assert failed[0]["StepFailedDetails"]["RetryDetails"]["NextAttemptDelaySeconds"] == 100


CALLBACK = """
from aws_durable_execution_sdk_python.config import CallbackConfig

@durable_execution
def handler(event, context):
    callback = context.create_callback(name="approval", config=CallbackConfig(
        timeout=Duration.from_seconds(500), heartbeat_timeout=Duration.from_seconds(100)))
    return {"answer": callback.result()}
"""


def _callback(workflows: Workflows) -> tuple[str, str]:
    workflows.make("ask", CALLBACK)
    arn = workflows.start("ask")
    events = workflows.suspended(arn)
    started = next(event for event in events if event["EventType"] == "CallbackStarted")["CallbackStartedDetails"]
    assert (started["Timeout"], started["HeartbeatTimeout"]) == (500, 100)
    return arn, started["CallbackId"]


def test_a_callback_is_answered_from_outside(workflows: Workflows) -> None:
    arn, id = _callback(workflows)
    workflows.functions.send_durable_execution_callback_success(CallbackId=id, Result=b'"yes"')
    assert workflows.result(arn) == {"answer": '"yes"'}
    with pytest.raises(ClientError) as again:
        workflows.functions.send_durable_execution_callback_success(CallbackId=id, Result=b'"no"')
    assert code(again)[0] == "CallbackTimeoutException"


def test_a_callback_that_fails(workflows: Workflows) -> None:
    arn, id = _callback(workflows)
    workflows.functions.send_durable_execution_callback_failure(
        CallbackId=id, Error={"ErrorType": "Refused", "ErrorMessage": "not by me"}
    )
    workflows.until(arn, "ExecutionFailed")
    assert workflows.get(arn)["Error"]["ErrorMessage"] == "not by me"


def test_heartbeats_keep_a_callback_alive(workflows: Workflows, advance: Callable[[float], Any]) -> None:
    arn, id = _callback(workflows)
    for _ in range(3):
        advance(80)
        workflows.functions.send_durable_execution_callback_heartbeat(CallbackId=id)
    assert workflows.get(arn)["Status"] == "RUNNING"
    advance(101)
    events = workflows.until(arn, "ExecutionFailed")
    late = next(event for event in events if event["EventType"] == "CallbackTimedOut")
    assert late["CallbackTimedOutDetails"]["Error"]["Payload"]["ErrorType"] == "Callback.Heartbeat"


def test_a_callback_ends_at_its_timeout_whatever_its_heartbeats(
    workflows: Workflows, advance: Callable[[float], Any]
) -> None:
    arn, id = _callback(workflows)
    for _ in range(6):
        advance(80)
        workflows.functions.send_durable_execution_callback_heartbeat(CallbackId=id)
    advance(30)
    events = workflows.until(arn, "ExecutionFailed")
    late = next(event for event in events if event["EventType"] == "CallbackTimedOut")
    assert late["CallbackTimedOutDetails"]["Error"]["Payload"]["ErrorType"] == "Callback.Timeout"


def test_branches_run_side_by_side(workflows: Workflows, advance: Callable[[float], Any]) -> None:
    workflows.make(
        "many",
        """
@durable_execution
def handler(event, context):
    def one(ctx, item, index, items):
        squared = ctx.step(lambda _: item * item, name=f"square-{index}")
        ctx.wait(Duration.from_seconds(60))
        return squared
    return sum(context.map(event, one, name="squares").get_results())
""",
    )
    arn = workflows.start("many", [1, 2, 3, 4])
    workflows.suspended(arn)
    advance(61)
    assert workflows.result(arn) == 30
    assert workflows.kinds(arn).count("WaitSucceeded") == 4


def test_other_functions_are_invoked_and_waited_for(workflows: Workflows, advance: Callable[[float], Any]) -> None:
    workflows.make(
        "child",
        """
@durable_execution
def handler(event, context):
    context.wait(Duration.from_seconds(30))
    return {"got": event}
""",
    )
    workflows.make(
        "parent",
        """
@durable_execution
def handler(event, context):
    return context.invoke("child:$LATEST", {"x": event}, name="ask the child")
""",
    )
    arn = workflows.start("parent", 5)
    workflows.suspended(arn)
    deadline = time.monotonic() + 60
    listed = workflows.functions.list_durable_executions_by_function
    while not (children := listed(FunctionName="child")["DurableExecutions"]):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    [child] = children
    workflows.suspended(child["DurableExecutionArn"])
    advance(31)
    assert workflows.result(arn) == {"got": {"x": 5}}
    assert "ChainedInvokeSucceeded" in workflows.kinds(arn)


def test_a_plain_function_can_be_invoked_too(workflows: Workflows, account: str) -> None:
    from tests.services.lambda_.durable.conftest import package

    workflows.functions.create_function(
        FunctionName="plain",
        Runtime="python3.11",
        Handler="index.handler",
        Role=f"arn:aws:iam::{account}:role/functions",
        Timeout=30,
        Code={"ZipFile": package("def handler(event, context):\n    return event['x'] * 2\n", sdk=False)},
    )
    workflows.make(
        "caller",
        """
@durable_execution
def handler(event, context):
    return [context.invoke("plain", {"x": event}, name="double"), context.step(lambda _: "after")]
""",
    )
    assert workflows.result(workflows.start("caller", 4)) == [8, "after"]


def test_a_function_that_is_not_there(workflows: Workflows) -> None:
    workflows.make(
        "lost", "@durable_execution\ndef handler(event, context):\n    return context.invoke('nobody', {})\n"
    )
    arn = workflows.start("lost")
    workflows.until(arn, "ExecutionFailed")
    assert "ChainedInvokeFailed" in workflows.kinds(arn)


def test_an_execution_takes_no_longer_than_it_may(workflows: Workflows, advance: Callable[[float], Any]) -> None:
    workflows.make("slow", STEPS)
    arn = workflows.start("slow", {"n": 1})
    workflows.suspended(arn)
    advance(601)
    workflows.until(arn, "ExecutionTimedOut")
    assert workflows.get(arn)["Status"] == "TIMED_OUT"


def test_stopped(workflows: Workflows) -> None:
    workflows.make("stop", STEPS)
    arn = workflows.start("stop", {"n": 1})
    workflows.suspended(arn)
    error = {"ErrorType": "Enough", "ErrorMessage": "of this"}
    first = workflows.functions.stop_durable_execution(DurableExecutionArn=arn, Error=error)["StopTimestamp"]
    assert workflows.functions.stop_durable_execution(DurableExecutionArn=arn)["StopTimestamp"] == first
    execution = workflows.get(arn)
    assert execution["Status"] == "STOPPED"
    assert execution["Error"] == error
    with pytest.raises(ClientError) as open_:
        workflows.functions.pause_durable_execution(DurableExecutionArn=arn)
    assert code(open_)[0] == "ResourceConflictException"


def test_paused_and_resumed(workflows: Workflows, advance: Callable[[float], Any]) -> None:
    workflows.make("pause", STEPS)
    arn = workflows.start("pause", {"n": 1})
    workflows.suspended(arn)
    workflows.functions.pause_durable_execution(DurableExecutionArn=arn, Reason="lunch", ExecutionTimeoutPaused=True)
    execution = workflows.get(arn)
    assert execution["Status"] == "PAUSED"
    assert execution["PauseDetails"]["Reason"] == "lunch"
    advance(7200)
    assert workflows.get(arn)["Status"] == "PAUSED"
    workflows.functions.resume_durable_execution(DurableExecutionArn=arn)
    assert workflows.result(arn) == {"sum": 2, "again": True}
    assert [kind for kind in workflows.kinds(arn) if kind in ("ExecutionPaused", "ExecutionResumed")] == [
        "ExecutionPaused",
        "ExecutionResumed",
    ]


def test_a_name_makes_a_start_idempotent(workflows: Workflows) -> None:
    workflows.make("named", STEPS)
    arn = workflows.start("named", {"n": 1}, DurableExecutionName="order-7")
    assert "/durable-execution/order-7/" in arn
    assert workflows.start("named", {"n": 1}, DurableExecutionName="order-7") == arn
    with pytest.raises(ClientError) as other:
        workflows.start("named", {"n": 2}, DurableExecutionName="order-7")
    assert code(other)[0] == "DurableExecutionAlreadyStartedException"
    assert other.value.response["ResponseMetadata"]["HTTPStatusCode"] == 409


def test_only_qualified(workflows: Workflows) -> None:
    workflows.make("strict", STEPS)
    with pytest.raises(ClientError) as unqualified:
        workflows.functions.invoke(FunctionName="strict", Payload=b"{}")
    assert code(unqualified) == (
        "InvalidParameterValueException",
        "You cannot invoke a durable function using an unqualified ARN.",
    )


def test_nobody_waits_for_more_than_a_quarter_of_an_hour(workflows: Workflows) -> None:
    workflows.make("year", STEPS, ExecutionTimeout=31_536_000)
    with pytest.raises(ClientError) as long:
        workflows.functions.invoke(FunctionName="year:$LATEST", Payload=b"{}")
    assert code(long)[0] == "InvalidParameterValueException"


def test_durable_from_its_creation_or_never(workflows: Workflows, account: str) -> None:
    from tests.services.lambda_.durable.conftest import package

    workflows.functions.create_function(
        FunctionName="plain",
        Runtime="python3.11",
        Handler="index.handler",
        Role=f"arn:aws:iam::{account}:role/functions",
        Code={"ZipFile": package("def handler(event, context): pass\n", sdk=False)},
    )
    with pytest.raises(ClientError) as late:
        workflows.functions.update_function_configuration(FunctionName="plain", DurableConfig={"ExecutionTimeout": 10})
    assert code(late)[0] == "InvalidParameterValueException"
    with pytest.raises(ClientError) as named:
        workflows.functions.invoke(FunctionName="plain:$LATEST", DurableExecutionName="a")
    assert code(named)[0] == "InvalidParameterValueException"


def test_listed_by_status_and_time(workflows: Workflows, advance: Callable[[float], Any]) -> None:
    workflows.make("list", STEPS)
    arns = [workflows.start("list", {"n": n}) for n in range(3)]
    for arn in arns:
        workflows.suspended(arn)
    workflows.functions.stop_durable_execution(DurableExecutionArn=arns[1])
    listed = workflows.functions.list_durable_executions_by_function

    def found(**members: Any) -> list[str]:
        return [one["DurableExecutionArn"] for one in listed(FunctionName="list", **members)["DurableExecutions"]]

    assert found() == arns
    assert found(ReverseOrder=True) == arns[::-1]
    assert found(Statuses=["STOPPED"]) == [arns[1]]
    first = listed(FunctionName="list", MaxItems=2)
    assert found(Marker=first["NextMarker"]) == [arns[2]]


def test_kept_for_its_retention_then_gone(workflows: Workflows, advance: Callable[[float], Any]) -> None:
    workflows.make("brief", STEPS, RetentionPeriodInDays=1)
    arn = workflows.start("brief", {"n": 1})
    workflows.suspended(arn)
    with pytest.raises(ClientError) as running:
        workflows.functions.delete_durable_execution(DurableExecutionArn=arn)
    assert code(running)[0] == "ResourceConflictException"
    workflows.functions.stop_durable_execution(DurableExecutionArn=arn)
    advance(86_000)
    assert workflows.get(arn)["Status"] == "STOPPED"
    advance(1_000)
    deadline = time.monotonic() + 100
    while workflows.functions.list_durable_executions_by_function(FunctionName="brief")["DurableExecutions"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    with pytest.raises(ClientError) as gone:
        workflows.get(arn)
    assert code(gone)[0] == "ResourceNotFoundException"


def test_deleted(workflows: Workflows) -> None:
    workflows.make("delete", STEPS)
    arn = workflows.start("delete", {"n": 1}, DurableExecutionName="once")
    workflows.suspended(arn)
    workflows.functions.stop_durable_execution(DurableExecutionArn=arn)
    workflows.functions.delete_durable_execution(DurableExecutionArn=arn)
    with pytest.raises(ClientError) as gone:
        workflows.get(arn)
    assert code(gone)[0] == "ResourceNotFoundException"
    assert workflows.start("delete", {"n": 2}, DurableExecutionName="once") != arn
