"""Environments start together, stop making progress between invocations, and leave nothing behind."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.compute.conftest import Machine, make_machine

_SLEEP = "import time\ndef handler(event, context):\n    time.sleep(event)\n    return event"


def _until(condition: Callable[[], Any]) -> bool:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return bool(condition())


def _processes(machine: Machine) -> list[int]:
    """Everything below the machine's process."""
    parents = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(") ")[2].split()[1])
            except OSError:
                continue
    found, new = [], [machine.process.pid]
    while new:
        new = [pid for pid, parent in parents.items() if parent in new]
        found += new
    return found


def _called(name: str) -> list[str]:
    """Control groups of this name; others may come and go meanwhile."""
    return [folder for folder, _, _ in os.walk("/sys/fs/cgroup") if folder.endswith(f"/{name}")]


def _groups(machine: Machine) -> list[Path]:
    return [
        Path(folder, child)
        for folder, children, _ in os.walk("/sys/fs/cgroup")  # groups may go meanwhile
        if folder.endswith(f"/{machine.name}")
        for child in children
    ]


def _invocation(spec: dict[str, Any], payload: str) -> dict[str, Any]:
    return {"do": "invoke", "spec": spec, "payload": payload}


def test_serves_twenty_invocations_at_once(machine: Machine) -> None:
    function = machine.function(_SLEEP)
    answers = machine.ask_all([_invocation(function, "0.3")] * 20)
    assert [answer["payload"] for answer in answers] == ["0.3"] * 20
    assert len({answer["environment_id"] for answer in answers}) == 20
    machine.ask("retire", key=function["key"])


def test_retiring_ends_idle_environments_now_and_busy_ones_after(machine: Machine) -> None:
    function = machine.function(_SLEEP)
    machine.ask_all([_invocation(function, "0.1")] * 2)
    states = [one["state"] for one in machine.ask("environments") if one["key"] == function["key"]]
    assert states == ["idle", "idle"]
    requests = [_invocation(function, "0.5"), {"do": "retire", "key": function["key"]}, {"do": "environments"}]
    busy, _, listed = machine.ask_all(requests)
    assert [one["state"] for one in listed if one["key"] == function["key"]] == ["busy"]
    assert busy["payload"] == "0.5"
    assert [one for one in machine.ask("environments") if one["key"] == function["key"]] == []
    assert machine.invoke(function, 0)["cold"] is True


def test_makes_no_progress_between_invocations(machine: Machine) -> None:
    if machine.level == "rootless":
        pytest.skip("rootless without delegated control groups: nothing can freeze")
    function = machine.function("""
        import threading, time
        longest = 0
        def count():
            global longest
            last = time.monotonic()
            while True:
                time.sleep(0.001)
                now = time.monotonic()
                longest, last = max(longest, now - last), now
        threading.Thread(target=count, daemon=True).start()
        def handler(event, context):
            time.sleep(0.01)
            return longest
    """)

    def paused() -> bool:
        """Whether its thread has ever stood still for most of a second."""
        machine.result(function)
        time.sleep(1.0)
        return float(machine.result(function)) > 0.7

    assert _until(paused)
    machine.ask("retire", key=function["key"])
    assert [one for one in machine.ask("environments") if one["key"] == function["key"]] == []


def test_what_a_function_leaves_running_ends_with_it(machine: Machine) -> None:
    function = machine.function("""
        import os, time
        def handler(event, context):
            reading, writing = os.pipe()
            for _ in range(5):
                if os.fork() == 0:
                    os.setsid()
                    if os.fork() == 0:
                        with open("/proc/self/comm", "w") as name:
                            name.write("left-behind")
                        os.write(writing, b"x")
                        time.sleep(1000)
                    os._exit(0)
            while event:
                event -= len(os.read(reading, 5))
    """)
    machine.result(function, 5)
    assert [_comm(pid) for pid in _processes(machine)].count("left-behind") == 5
    machine.ask("retire", key=function["key"])
    assert _until(lambda: "left-behind" not in map(_comm, _processes(machine)))


def test_blanks_of_a_rush_do_not_stay() -> None:
    with make_machine("full") as machine:
        function = machine.function(_SLEEP)
        machine.ask_all([_invocation(function, "0.3")] * 20)
        machine.ask("retire", key=function["key"])
        assert _until(lambda: len({group.name for group in _groups(machine)}) == 1)


def test_leaves_nothing_after_many_environments() -> None:
    with make_machine("full") as machine:
        function = machine.function(_SLEEP)

        def round_of(count: int) -> None:
            answers = machine.ask_all([_invocation(function, "0")] * count)
            assert {answer.get("error") for answer in answers} == {None}
            machine.ask("retire", key=function["key"])

        def held() -> tuple[int, int, int, int]:
            supervisor = next(pid for pid in _processes(machine) if _comm(pid) == "cumulet-super")
            fds = sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in (machine.process.pid, supervisor))
            mounts = len(Path(f"/proc/{supervisor}/mounts").read_text().splitlines())
            return fds, mounts, len(_groups(machine)), len(_processes(machine))

        round_of(20)
        assert _until(lambda: machine.ask("environments") == [])
        before = held()
        for _ in range(10):
            round_of(20)
        slack = (144, 2, 48, 24)  # eight blanks are made ahead while demand is high, each with sixteen descriptors
        assert _until(lambda: all(now <= then + more for now, then, more in zip(held(), before, slack, strict=True))), (
            before,
            held(),
        )
        name = machine.name
    assert _until(lambda: not _called(name)), "control groups are left"


def _supervisors(machine: Machine) -> list[int]:
    return [pid for pid in _processes(machine) if _comm(pid) == "cumulet-super"]


def _comm(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


@pytest.mark.parametrize("level", ["full", "rootless"])
@pytest.mark.parametrize("victim", ["node", "supervisor"])
def test_no_environment_outlives_the_platform(level: str, victim: str) -> None:
    with make_machine(level) as machine:
        idle, busy = machine.function(_SLEEP), machine.function(_SLEEP, timeout=60)
        machine.result(idle, 0)
        machine.send(_invocation(busy, "50"))
        assert _until(lambda: any(one["state"] == "busy" for one in machine.ask("environments")))
        time.sleep(0.3)  # the idle one is frozen by now
        processes = _processes(machine)
        assert len(processes) >= 6
        target = machine.process.pid if victim == "node" else _supervisors(machine)[0]
        os.kill(target, signal.SIGKILL)
        if victim == "supervisor":
            machine.process.kill()
        assert _until(lambda: not any(_alive(pid) for pid in processes)), [
            _comm(pid) for pid in processes if _alive(pid)
        ]


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except OSError:
        return False


def test_a_killed_platforms_groups_are_swept_at_the_next_start() -> None:
    with make_machine("full") as machine:
        machine.result(machine.function(_SLEEP), 0)
        supervisor = _supervisors(machine)[0]
        os.kill(supervisor, signal.SIGSTOP)  # so that it cannot clean up
        machine.process.kill()
        machine.process.wait()
        os.kill(supervisor, signal.SIGKILL)
        assert _groups(machine)
        machine.start()
        machine.result(machine.function(_SLEEP), 0)
        assert _until(lambda: len({path.name for path in _groups(machine)}) <= 3)


def test_a_supervisor_that_ends_late_leaves_the_next_platforms_environments_alone() -> None:
    with make_machine("full") as machine:
        function = machine.function(_SLEEP)
        machine.result(function, 0)
        late = _supervisors(machine)[0]
        os.kill(late, signal.SIGSTOP)
        machine.process.kill()
        machine.process.wait()
        machine.start()
        before = machine.invoke(function, 0)["environment_id"]
        os.kill(late, signal.SIGCONT)
        assert _until(lambda: not _alive(late))
        assert machine.invoke(function, 0)["environment_id"] == before


def test_goes_on_after_losing_its_supervisor() -> None:
    with make_machine("full") as machine:
        function = machine.function(_SLEEP)
        machine.result(function, 0)
        os.kill(_supervisors(machine)[0], signal.SIGKILL)
        assert _until(lambda: machine.invoke(function, 0).get("payload") == "0")


def test_says_what_this_machine_has(machine: Machine) -> None:
    level = machine.ask("level")
    assert level["name"] == machine.level
    assert level["abilities"]["system call filter"] == ""
    if machine.level == "rootless":
        assert any("control groups" in advice for advice in level["advice"])


def test_rests_when_nothing_is_asked_of_it(machine: Machine) -> None:
    """Neither the supervisor nor what it started may wait by asking again and again."""
    function = machine.function("def handler(event, context):\n    return 1\n")
    assert machine.result(function) == 1
    restless = set(_tree(machine.process.pid))
    deadline = time.monotonic() + 60
    while restless:  # one that was seen asleep does rest; one that asks again and again never is
        assert time.monotonic() < deadline, [_read(f"/proc/{pid}/cmdline") for pid in restless]
        time.sleep(0.02)
        restless = {pid for pid in restless if _read(f"/proc/{pid}/stat").rpartition(")")[2][1:2] == "R"}


def _tree(pid: int) -> list[int]:
    children = _read(f"/proc/{pid}/task/{pid}/children").split()
    return [pid, *(found for child in children for found in _tree(int(child)))]


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""  # it has ended
