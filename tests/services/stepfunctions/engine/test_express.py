"""Express executions: in memory, synchronous or not."""

import json
import math
import threading
from collections.abc import Callable
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from tests.services.stepfunctions.engine.conftest import Workflows

PASS: dict[str, Any] = {"Pass": {"Type": "Pass", "Result": {"done": True}, "End": True}}


@pytest.fixture
def sync(client: Callable[..., Any]) -> Any:
    return client("stepfunctions", config=Config(inject_host_prefix=False))


def test_synchronous(workflows: Workflows, sync: Any) -> None:
    machine = workflows.machine(PASS, type="EXPRESS")
    found = sync.start_sync_execution(stateMachineArn=machine, input='{"a": 1}', name="mine")
    assert found["executionArn"].startswith(machine.replace(":stateMachine:", ":express:") + ":mine:")
    assert (found["status"], found["name"], json.loads(found["output"])) == ("SUCCEEDED", "mine", {"done": True})
    took = (found["stopDate"] - found["startDate"]).total_seconds() * 1000
    billed = max(1, math.ceil(took / 100)) * 100
    assert found["billingDetails"] == {"billedMemoryUsedInMB": 64, "billedDurationInMilliseconds": billed}
    assert found["inputDetails"] == found["outputDetails"] == {"included": True}


def test_a_failure_is_an_answer(workflows: Workflows, sync: Any) -> None:
    machine = workflows.machine({"No": {"Type": "Fail", "Error": "Broken", "Cause": "why"}}, type="EXPRESS")
    found = sync.start_sync_execution(stateMachineArn=machine)
    assert (found["status"], found["error"], found["cause"]) == ("FAILED", "Broken", "why")
    assert "output" not in found


def test_without_data(workflows: Workflows, sync: Any) -> None:
    machine = workflows.machine(PASS, type="EXPRESS")
    found = sync.start_sync_execution(stateMachineArn=machine, includedData="METADATA_ONLY")
    assert "output" not in found
    assert "input" not in found


def test_only_express_machines(workflows: Workflows, sync: Any) -> None:
    with pytest.raises(ClientError) as refused:
        sync.start_sync_execution(stateMachineArn=workflows.machine(PASS))
    assert refused.value.response["Error"]["Code"] == "StateMachineTypeNotSupported"


def test_not_listed_and_not_described(workflows: Workflows) -> None:
    machine = workflows.machine(PASS, type="EXPRESS")
    arn = workflows.start(machine)
    with pytest.raises(ClientError) as refused:
        workflows.client.list_executions(stateMachineArn=machine)
    assert refused.value.response["Error"]["Code"] == "StateMachineTypeNotSupported"
    for operation in (workflows.client.describe_execution, workflows.client.stop_execution):
        with pytest.raises(ClientError) as refused:
            operation(executionArn=arn)
        assert "Resource type not valid in this context: express" in str(refused.value)


def test_five_minutes_at_most(workflows: Workflows, sync: Any, advance: Callable[[float], None]) -> None:
    machine = workflows.machine({"Wait": {"Type": "Wait", "Seconds": 86_400, "End": True}}, type="EXPRESS")
    found: dict[str, Any] = {}
    waiting = threading.Thread(target=lambda: found.update(sync.start_sync_execution(stateMachineArn=machine)))
    waiting.start()
    while waiting.is_alive():
        advance(60)
        waiting.join(0.05)
    assert found["status"] == "TIMED_OUT"
    assert 299_000 < (found["stopDate"] - found["startDate"]).total_seconds() * 1000 < 3_600_000
