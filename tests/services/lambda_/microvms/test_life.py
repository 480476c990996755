"""What a MicroVM lives through: it runs, is suspended with all that it has in memory, goes on, and ends."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.conftest import NodeProcess
from tests.services.lambda_.microvms.conftest import COUNTER, Microvms, until

NAMES = ("run", "resume", "suspend", "terminate")
HOOKS = {
    "port": 8080,
    "microvmHooks": dict.fromkeys(NAMES, "ENABLED") | {f"{name}TimeoutInSeconds": 30 for name in NAMES},
    "microvmImageHooks": {
        "ready": "ENABLED",
        "readyTimeoutInSeconds": 60,
        "validate": "ENABLED",
        "validateTimeoutInSeconds": 60,
    },
}


def counted(microvms: Microvms, vm: Any) -> Any:
    status, body = microvms.ask(vm, "/count")
    assert status == 200, body
    return json.loads(body)


def heard(microvms: Microvms, vm: Any) -> list[str]:
    status, body = microvms.ask(vm, "/heard")
    return [name for name, _ in json.loads(body)] if status == 200 else []


def test_goes_on_counting_after_it_was_suspended(microvms: Microvms) -> None:
    vm = microvms.run(microvms.image())
    id = vm["microvmId"]
    assert id.startswith("microvm-")
    assert [counted(microvms, vm) for _ in range(3)] == [1, 2, 3]
    assert microvms.ask(vm, "/write", method="POST", body="/app/kept.txt once") == (200, b'"once"')
    microvms.api.suspend_microvm(microvmIdentifier=id)
    microvms.reaches(id, "SUSPENDED")
    assert microvms.ask(vm, "/count") == (502, b"")
    microvms.api.suspend_microvm(microvmIdentifier=id)
    microvms.api.resume_microvm(microvmIdentifier=id)
    microvms.reaches(id, "RUNNING")
    assert counted(microvms, vm) == 4
    assert microvms.ask(vm, "/write", method="POST", body="/app/kept.txt  twice") == (200, b'"once twice"')
    with pytest.raises(ClientError) as refused:
        microvms.api.resume_microvm(microvmIdentifier=id)
    assert refused.value.response["Error"]["Code"] == "ConflictException"
    microvms.api.terminate_microvm(microvmIdentifier=id)
    ended = microvms.reaches(id, "TERMINATED")
    assert ended["stateReason"] == "Success."
    assert ended["terminatedAt"] >= ended["startedAt"]
    assert microvms.ask(vm, "/count", token="x")[0] == 403
    microvms.api.terminate_microvm(microvmIdentifier=id)
    for refused_call in (microvms.api.suspend_microvm, microvms.api.resume_microvm):
        with pytest.raises(ClientError) as refused:
            refused_call(microvmIdentifier=id)
        assert refused.value.response["Error"]["Code"] == "ValidationException"
        assert f"The MicroVM {id} has been terminated" in refused.value.response["Error"]["Message"]


def test_each_has_files_and_memory_of_its_own(microvms: Microvms) -> None:
    image = microvms.image()
    one, other = microvms.run(image), microvms.run(image)
    assert microvms.ask(one, "/write", method="POST", body="/app/app.py # changed")[0] == 200
    assert microvms.ask(one, "/write", method="POST", body="/mine here") == (200, b'"here"')
    assert microvms.ask(other, "/write", method="POST", body="/mine there") == (200, b'"there"')
    assert [counted(microvms, vm) for vm in (one, one, other)] == [1, 2, 1]
    assert counted(microvms, microvms.run(image)) == 1


def test_hooks_are_asked_at_every_turn(microvms: Microvms) -> None:
    image = microvms.image("hooked", hooks=HOOKS)
    vm = microvms.run(image, runHookPayload="tenant 7", idlePolicy=_policy(auto=True))
    id = vm["microvmId"]
    asked = json.loads(microvms.ask(vm, "/heard")[1])
    assert [name for name, _ in asked] == ["ready", "run"]
    assert json.loads(asked[1][1]) == {"microvmId": id, "runHookPayload": "tenant 7"}
    microvms.api.suspend_microvm(microvmIdentifier=id)
    microvms.reaches(id, "SUSPENDED")
    assert heard(microvms, vm) == ["ready", "run", "suspend", "resume"]
    # One that says no to being suspended goes on.
    microvms.ask(vm, "/write", method="POST", body="/tmp/refuse-suspend x")
    microvms.api.suspend_microvm(microvmIdentifier=id)
    until(lambda: heard(microvms, vm)[-1:] == ["suspend"])
    stays = microvms.reaches(id, "RUNNING")
    assert stays["stateReason"] == "The /suspend hook returned HTTP 500."


def test_a_run_hook_that_fails_ends_it(microvms: Microvms) -> None:
    image = microvms.image(
        "never",
        {
            "Dockerfile": "FROM scratch\nCOPY app.py /\nRUN touch /srv/refuse-run\nCMD exec python3 /app.py 8080",
            "app.py": COUNTER.replace("/tmp/refuse-", "/srv/refuse-"),
        },
        hooks=HOOKS,
    )
    vm = microvms.run(image, state="TERMINATED")
    assert vm["stateReason"] == "The /run hook returned HTTP 500."


def test_ends_with_its_program(microvms: Microvms) -> None:
    vm = microvms.run(microvms.image())
    microvms.ask(vm, "/die")
    assert microvms.reaches(vm["microvmId"], "TERMINATED")["stateReason"] == "The application ended: exit status 3."


def _policy(*, auto: bool = False, idle: int = 600, suspended: int = 1800) -> dict[str, Any]:
    return {"maxIdleDurationSeconds": idle, "suspendedDurationSeconds": suspended, "autoResumeEnabled": auto}


def test_idle_ones_are_suspended_and_a_request_wakes_them(microvms: Microvms, advance: Callable[[float], None]) -> None:
    vm = microvms.run(microvms.image(), idlePolicy=_policy(auto=True))
    id = vm["microvmId"]
    assert vm["idlePolicy"] == _policy(auto=True)
    assert counted(microvms, vm) == 1
    advance(500)
    assert counted(microvms, vm) == 2
    advance(500)
    assert microvms.api.get_microvm(microvmIdentifier=id)["state"] == "RUNNING"
    advance(200)
    microvms.reaches(id, "SUSPENDED")
    assert counted(microvms, vm) == 3
    assert microvms.api.get_microvm(microvmIdentifier=id)["state"] == "RUNNING"
    advance(601)
    microvms.reaches(id, "SUSPENDED")
    advance(1801)
    microvms.reaches(id, "TERMINATED")


def test_lives_no_longer_than_it_may(microvms: Microvms, advance: Callable[[float], None]) -> None:
    image = microvms.image()
    short, usual = microvms.run(image, maximumDurationInSeconds=300), microvms.run(image)
    assert usual["maximumDurationInSeconds"] == 28_800
    advance(301)
    microvms.reaches(short["microvmId"], "TERMINATED")
    assert counted(microvms, usual) == 1
    advance(28_800)
    microvms.reaches(usual["microvmId"], "TERMINATED")


def _groups(node: NodeProcess) -> list[str]:
    """Control groups of a node's environments, where this machine has them."""
    name = f"cumulet-{node.endpoint.rpartition(':')[2]}"
    return [path for path, _, _ in os.walk("/sys/fs/cgroup") if Path(path).parent.name == name]


def test_nothing_is_left_of_what_has_ended(start_node: Callable[..., NodeProcess]) -> None:
    node = start_node()
    microvms = on(node)
    image = microvms.image()
    kept = microvms.run(image)
    groups = _groups(node)
    ended = microvms.run(image)
    held = node.get(node.endpoint + "/_cumulet/status")["environments"]
    assert {one["key"] for one in held} == {kept["microvmId"], ended["microvmId"]}
    processes = _processes(node)
    microvms.api.suspend_microvm(microvmIdentifier=ended["microvmId"])
    microvms.reaches(ended["microvmId"], "SUSPENDED")
    microvms.api.terminate_microvm(microvmIdentifier=ended["microvmId"])
    microvms.reaches(ended["microvmId"], "TERMINATED")
    until(lambda: _processes(node) < processes)
    until(lambda: len(_groups(node)) <= len(groups) + 2)  # blanks that wait have some, too
    held = node.get(node.endpoint + "/_cumulet/status")["environments"]
    assert [one["key"] for one in held] == [kept["microvmId"]]
    node.stop()
    until(lambda: _groups(node) == [])


def _processes(node: NodeProcess) -> int:
    """Programs of MicroVMs that run on this machine for that node."""
    count = 0
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            try:
                inside = f"cumulet-{node.endpoint.rpartition(':')[2]}/" in (path / "cgroup").read_text()
                count += inside and b"app.py" in (path / "cmdline").read_bytes()
            except OSError:
                continue
    return count


def test_memory_does_not_outlive_a_kill_but_images_do(start_node: Callable[..., NodeProcess]) -> None:
    node = start_node()
    microvms = on(node)
    image = microvms.image()
    vm = microvms.run(image)
    node.kill()
    node.start()
    api = node.client("lambda-microvms", ACCOUNT)
    found = api.get_microvm(microvmIdentifier=vm["microvmId"])
    assert (found["state"], "The node was stopped" in found["stateReason"]) == ("TERMINATED", True)
    assert api.get_microvm_image(imageIdentifier=image)["state"] == "CREATED"
    microvms = on(node)
    assert counted(microvms, microvms.run(image)) == 1


ACCOUNT = "123456789012"


def on(node: NodeProcess) -> Microvms:
    return Microvms(lambda service, **options: node.client(service, ACCOUNT, **options), ACCOUNT, node.endpoint)
