"""What a MicroVM lives through: it runs, is suspended with all that it has in memory, goes on, and ends."""

import json
from typing import Any

from tests.services.lambda_.microvms.conftest import Microvms

HOOKS = {
    "port": 8080,
    "microvmHooks": dict.fromkeys(("run", "resume", "suspend", "terminate"), "ENABLED")
    | {f"{name}TimeoutInSeconds": 30 for name in ("run", "resume", "suspend", "terminate")},
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


def test_goes_on_counting_after_it_was_suspended(microvms: Microvms) -> None:
    vm = microvms.run(microvms.image())
    assert [counted(microvms, vm) for _ in range(3)] == [1, 2, 3]
    microvms.api.suspend_microvm(microvmIdentifier=vm["microvmId"])
    microvms.reaches(vm["microvmId"], "SUSPENDED")
    assert microvms.ask(vm, "/count") == (502, b"")
    microvms.api.resume_microvm(microvmIdentifier=vm["microvmId"])
    microvms.reaches(vm["microvmId"], "RUNNING")
    assert counted(microvms, vm) == 4
    microvms.api.terminate_microvm(microvmIdentifier=vm["microvmId"])
    ended = microvms.reaches(vm["microvmId"], "TERMINATED")
    assert ended["stateReason"] == "Success."
    assert ended["terminatedAt"] >= ended["startedAt"]
