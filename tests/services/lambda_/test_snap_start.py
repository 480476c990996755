"""SnapStart: versions that are initialised when they are published, and restored when they are invoked."""

import concurrent.futures
import io
import json
import time
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

_COUNTER = """
import os, random, time, uuid
from snapshot_restore_py import register_after_restore, register_before_snapshot

seen = ["init"]
drawn = random.random()
with open("/tmp/made", "w") as file:
    file.write("at init")

@register_before_snapshot
def before(*what):
    seen.append("before")

def note(what, more=""):
    seen.append(what + more)

register_before_snapshot(note, "before first")
register_after_restore(note, "after", more=" one")
register_after_restore(note, "after two")

def handler(event, context):
    seen.append("invoked")
    return {
        "seen": seen, "id": os.getpid(), "type": os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"], "drawn": random.random(),
        "file": open("/tmp/made").read(), "stream": context.log_stream_name, "at": time.time(),
        "group": os.environ.get("AWS_LAMBDA_LOG_GROUP_NAME"),
    }
"""


def _zip(text: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("app.py", text)
    return file.getvalue()


@pytest.fixture
def aws(client: Callable[..., Any]) -> Any:
    return client("lambda")


def _create(aws: Any, text: str, name: str = "f", **more: Any) -> dict[str, Any]:
    parameters = {"Runtime": "python3.12", "SnapStart": {"ApplyOn": "PublishedVersions"}, "Timeout": 30, **more}
    made: dict[str, Any] = aws.create_function(
        FunctionName=name,
        Role="arn:aws:iam::000000000000:role/any",
        Handler="app.handler",
        Code={"ZipFile": _zip(text)},
        **parameters,
    )
    aws.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.2})
    return made


def _invoke(aws: Any, version: str = "1", name: str = "f") -> Any:
    answer = aws.invoke(FunctionName=name, Qualifier=version)
    payload = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, payload
    return payload


def _messages(client: Callable[..., Any], wanted: str, count: int = 1) -> list[str]:
    """What is in the function's log, once the last of it holds `wanted` that often."""
    logs, deadline = client("logs"), time.monotonic() + 60
    while True:
        try:
            found = [event["message"] for event in logs.filter_log_events(logGroupName="/aws/lambda/f")["events"]]
        except ClientError:
            found = []
        if sum(wanted in message for message in found) >= count or time.monotonic() > deadline:
            return found
        time.sleep(0.1)


def test_a_version_is_initialised_when_it_is_published(aws: Any, client: Callable[..., Any]) -> None:
    created = _create(aws, "print('loading')\n" + _COUNTER)
    assert created["SnapStart"] == {"ApplyOn": "PublishedVersions", "OptimizationStatus": "Off"}
    assert _invoke(aws, "$LATEST")["type"] == "on-demand"
    published = aws.publish_version(FunctionName="f")
    assert published["SnapStart"] == {"ApplyOn": "PublishedVersions", "OptimizationStatus": "On"}
    assert published["State"] == "Pending"
    assert published["StateReasonCode"] == "Creating"
    aws.get_waiter("published_version_active").wait(FunctionName="f", Qualifier="1", WaiterConfig={"Delay": 0.2})
    found = _messages(client, "INIT_REPORT", 1)
    assert sum("loading" in message for message in found) == 2, "of $LATEST and of the version"
    assert not any("RESTORE_START" in message for message in found)
    after = aws.get_function_configuration(FunctionName="f", Qualifier="1")
    assert after["State"] == "Active"
    assert after["SnapStart"]["OptimizationStatus"] == "On"


def test_an_environment_is_restored_once(aws: Any, client: Callable[..., Any]) -> None:
    _create(aws, _COUNTER)
    aws.publish_version(FunctionName="f")
    first, second = _invoke(aws), _invoke(aws)
    assert first["seen"] == ["init", "before first", "before", "after one", "after two", "invoked"]
    assert second["seen"] == [*first["seen"], "invoked"], "the same environment, restored once"
    assert first["type"] == "snap-start"
    assert first["file"] == "at init"
    assert first["group"] is None
    assert first["stream"] is None
    found = _messages(client, "REPORT RequestId", 2)
    assert (
        sum(
            message.startswith("RESTORE_START Runtime Version: python3.12\tRuntime Version ARN: arn:")
            for message in found
        )
        == 1
    )
    assert sum(message.startswith("RESTORE_REPORT Restore Duration: ") for message in found) == 1
    reports = [message for message in found if message.startswith("REPORT RequestId")]
    assert "\tRestore Duration: " in reports[0]
    assert "\tBilled Restore Duration: " in reports[0]
    assert not any("Init Duration" in report for report in reports)
    assert "Restore Duration" not in reports[1]
    order = [message.split()[0] for message in found]
    assert order.index("RESTORE_START") < order.index("RESTORE_REPORT") < order.index("START")


def test_environments_of_one_version_differ(aws: Any) -> None:
    _create(aws, _COUNTER.replace("def handler(event, context):", "def handler(event, context):\n    time.sleep(0.5)"))
    aws.publish_version(FunctionName="f")
    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda _: _invoke(aws), range(4)))
    assert len({answer["drawn"] for answer in answers}) == 4
    assert all(answer["seen"].count("after two") == 1 for answer in answers)


def test_what_waits_is_renewed_before_its_credentials_end(
    aws: Any, client: Callable[..., Any], advance: Callable[[float], Any]
) -> None:
    _create(aws, _COUNTER)
    aws.publish_version(FunctionName="f")
    aws.get_waiter("published_version_active").wait(FunctionName="f", Qualifier="1", WaiterConfig={"Delay": 0.2})
    advance(3000)
    found = _messages(client, "INIT_REPORT", 2)
    assert sum("INIT_REPORT" in message for message in found) == 2
    assert _invoke(aws)["seen"].count("after two") == 1


def test_threads_and_the_time_go_on(aws: Any) -> None:
    _create(
        aws,
        """
        import threading, time
        ticks = []
        def tick():
            while True:
                ticks.append(time.time())
                time.sleep(0.01)
        threading.Thread(target=tick, daemon=True).start()
        def handler(event, context):
            before = len(ticks)
            time.sleep(0.1)
            return [len(ticks) - before, time.time()]
        """.replace("\n        ", "\n"),
    )
    aws.publish_version(FunctionName="f")
    ticked, at = _invoke(aws)
    assert ticked > 0
    assert abs(at - time.time()) < 60


def test_a_version_that_cannot_be_initialised_fails(aws: Any) -> None:
    _create(aws, "raise ValueError('no way')")
    aws.publish_version(FunctionName="f")
    deadline = time.monotonic() + 60
    while (found := aws.get_function_configuration(FunctionName="f", Qualifier="1"))["State"] == "Pending":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert found["State"] == "Failed"
    assert found["StateReasonCode"] == "FunctionError"
    assert "no way" in found["StateReason"]


def test_a_hook_that_fails_before_the_snapshot_fails_the_version(aws: Any) -> None:
    text = "import snapshot_restore_py\nsnapshot_restore_py.register_before_snapshot(lambda: 1 / 0)\n"
    _create(aws, text + "def handler(event, context): pass")
    aws.publish_version(FunctionName="f")
    with pytest.raises(ClientError, match="Failed"):
        aws.invoke(FunctionName="f", Qualifier="1")


def test_a_hook_that_fails_after_the_restoration_fails_the_call(aws: Any, client: Callable[..., Any]) -> None:
    text = "import snapshot_restore_py\nsnapshot_restore_py.register_after_restore(lambda: 1 / 0)\n"
    _create(aws, text + "def handler(event, context): pass")
    aws.publish_version(FunctionName="f")
    with pytest.raises(aws.exceptions.SnapStartException, match="runtime hook encountered an error"):
        aws.invoke(FunctionName="f", Qualifier="1")
    found = _messages(client, "RESTORE_REPORT")
    assert any("ZeroDivisionError" in message for message in found)
    assert any("RESTORE_REPORT" in message and "Status: error" in message for message in found)


def test_the_same_again_is_no_new_version_but_without_snapstart_it_is(aws: Any) -> None:
    _create(aws, _COUNTER)
    assert aws.publish_version(FunctionName="f")["Version"] == "1"
    assert aws.publish_version(FunctionName="f")["Version"] == "1"
    aws.update_function_configuration(FunctionName="f", SnapStart={"ApplyOn": "None"})
    published = aws.publish_version(FunctionName="f")
    assert published["Version"] == "2"
    assert published["SnapStart"] == {"ApplyOn": "None", "OptimizationStatus": "Off"}
    assert _invoke(aws, "2")["type"] == "on-demand"


def test_enabling_it_later(aws: Any) -> None:
    _create(aws, _COUNTER, SnapStart={"ApplyOn": "None"})
    changed = aws.update_function_configuration(FunctionName="f", SnapStart={"ApplyOn": "PublishedVersions"})
    assert changed["SnapStart"] == {"ApplyOn": "PublishedVersions", "OptimizationStatus": "Off"}
    aws.publish_version(FunctionName="f")
    assert _invoke(aws)["type"] == "snap-start"


@pytest.mark.parametrize("runtime", ["python3.11", "nodejs20.x", "provided.al2023"])
def test_other_runtimes_have_none(aws: Any, runtime: str) -> None:
    with pytest.raises(
        aws.exceptions.InvalidParameterValueException, match=f"{runtime} is not supported for SnapStart"
    ):
        _create(aws, _COUNTER, Runtime=runtime)


def test_not_together_with_provisioned_concurrency(aws: Any) -> None:
    _create(aws, _COUNTER)
    aws.publish_version(FunctionName="f")
    with pytest.raises(aws.exceptions.InvalidParameterValueException, match="SnapStart"):
        aws.put_provisioned_concurrency_config(FunctionName="f", Qualifier="1", ProvisionedConcurrentExecutions=1)
