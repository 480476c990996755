"""Workers of activities that hang up."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from tests.services.stepfunctions.engine.conftest import Workflows

Task = Callable[..., dict[str, Any]]


def ask(endpoint: str, account: str, activity: str) -> socket.socket:
    """A worker's connection, with its request sent."""
    address = urlsplit(endpoint)
    body = json.dumps({"activityArn": activity, "workerName": "lost"})
    headers = {
        "Host": address.netloc,
        "X-Amz-Target": "AWSStepFunctions.GetActivityTask",
        "Content-Type": "application/x-amz-json-1.0",
    }
    request = AWSRequest("POST", f"{endpoint}/", headers, body)
    SigV4Auth(Credentials(account, "test"), "states", "us-east-1").add_auth(request)
    lines = [f"{name}: {value}" for name, value in request.headers.items()]
    head = ["POST / HTTP/1.1", *lines, f"Content-Length: {len(body)}"]
    connection = socket.create_connection((address.hostname, address.port))
    connection.sendall(("\r\n".join(head) + "\r\n\r\n" + body).encode())
    return connection


@pytest.mark.parametrize("pause", [0.0, 1.0], ids=["just now", "a while ago"])
def test_a_worker_that_hung_up_is_not_given_a_task(
    workflows: Workflows, task: Task, endpoint: str, account: str, pause: float
) -> None:
    activity = workflows.client.create_activity(name="pack")["activityArn"]
    machine = workflows.machine(task(activity))
    lost = [ask(endpoint, account, activity) for _ in range(5)]
    time.sleep(0.2)  # for them to wait
    for connection in lost:
        connection.close()
    time.sleep(pause)
    execution = workflows.start(machine, {"parcel": 1})
    given = workflows.client.get_activity_task(activityArn=activity, workerName="ann")
    assert json.loads(given["input"]) == {"parcel": 1}
    workflows.client.send_task_success(taskToken=given["taskToken"], output="{}")
    assert workflows.ended(execution)["status"] == "SUCCEEDED"
    assert workflows.types(execution).count("ActivityStarted") == 1


def test_tasks_that_went_back_keep_their_place(workflows: Workflows, task: Task, endpoint: str, account: str) -> None:
    activity = workflows.client.create_activity(name="pack")["activityArn"]
    machine = workflows.machine(task(activity))
    for parcel in range(3):
        workflows.start(machine, parcel)
    for _ in range(3):
        connection = ask(endpoint, account, activity)
        connection.shutdown(socket.SHUT_WR)
        connection.close()
    found: list[int] = []
    deadline = time.monotonic() + 200
    while len(found) < 3 and time.monotonic() < deadline:
        given = workflows.client.get_activity_task(activityArn=activity)
        if given.get("taskToken"):
            found.append(json.loads(given["input"]))
            workflows.client.send_task_success(taskToken=given["taskToken"], output="{}")
    assert sorted(found) == [0, 1, 2]
