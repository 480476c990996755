"""Limits hold, end only the environment that breaks them, and are reported."""

import json

import pytest
from tests.compute.conftest import Machine

_NEIGHBOUR = "def handler(event, context): return 'well'"


def _needs_groups(machine: Machine) -> None:
    if machine.level == "rootless":
        pytest.skip("rootless without delegated control groups: this limit is not enforced, and doctor says so")


def test_kills_what_uses_too_much_memory(machine: Machine) -> None:
    neighbour = machine.function(_NEIGHBOUR)
    machine.result(neighbour)
    function = machine.function("""
        import time
        def handler(event, context):
            print("growing")
            held = []
            while len(held) < 500:
                held.append(b"x" * (4 << 20))
                time.sleep(0.005)
            time.sleep(50)
    """)
    outcome = machine.invoke(function, request_id="id")
    assert (outcome["error"], outcome["detail"], outcome["logs"]) == ("oom", "signal: killed", "growing\n")
    assert json.loads(outcome["payload"])["errorType"] == "Runtime.ExitError"
    assert outcome["max_memory"] == 256 << 20
    again = machine.invoke(neighbour)
    assert (again["payload"], again["cold"]) == ('"well"', False)


def test_reports_the_memory_used(machine: Machine) -> None:
    code = "import time\ndef handler(event, context):\n    held = b'x' * (event << 20)\n    time.sleep(0.3)\n    return len(held)"
    function = machine.function(code)
    small, large = machine.invoke(function, 1), machine.invoke(function, 100)
    assert 4 << 20 < small["max_memory"] < 90 << 20
    assert small["max_memory"] + (80 << 20) < large["max_memory"] < 200 << 20


def test_ends_an_invocation_in_time(machine: Machine) -> None:
    code = "import time\ndef handler(event, context):\n    print('waiting')\n    time.sleep(event)\n    return 'done'"
    function = machine.function(code, timeout=2.5)
    outcome = machine.invoke(function, 50, request_id="id")
    assert (outcome["error"], outcome["logs"]) == ("timeout", "waiting\n")
    message = "RequestId: id Error: Task timed out after 2.50 seconds"
    assert json.loads(outcome["payload"]) == {"errorType": "Sandbox.Timedout", "errorMessage": message}
    assert machine.invoke(function, 0)["cold"] is True


def test_ends_what_ignores_every_signal(machine: Machine) -> None:
    function = machine.function(
        """
        import signal
        for number in range(1, 65):
            try:
                signal.signal(number, signal.SIG_IGN)
            except (OSError, ValueError):
                pass
        def handler(event, context):
            while True:
                pass
        """,
        timeout=0.3,
    )
    assert machine.invoke(function)["error"] == "timeout"


def test_a_fork_bomb_ends_with_its_environment(machine: Machine) -> None:
    _needs_groups(machine)
    neighbour = machine.function(_NEIGHBOUR)
    machine.result(neighbour)
    bomb = machine.function(
        """
        import os, time
        def handler(event, context):
            made = 0
            while True:
                try:
                    if os.fork() == 0:
                        time.sleep(100)
                    made += 1
                except OSError:
                    return made
        """,
        memory_mb=1769,
        timeout=100.0,  # a thousand forks take long where others work too
    )
    made = machine.result(bomb)
    assert 100 < made <= 1024
    assert machine.result(neighbour) == "well"
    machine.ask("retire", key=bomb["key"])


def test_descriptors_run_out_at_1024(machine: Machine) -> None:
    function = machine.function("""
        import os
        def handler(event, context):
            held = []
            try:
                while True:
                    held.append(os.open("/dev/null", os.O_RDONLY))
            except OSError as error:
                for fd in held:
                    os.close(fd)
                return [len(held), error.errno]
    """)
    count, number = machine.result(function)
    assert 1000 < count < 1024
    assert number == 24


def test_tmp_is_as_large_as_configured(machine: Machine) -> None:
    function = machine.function(
        """
        import os, shutil
        def handler(event, context):
            size = 0
            try:
                with open("/tmp/full", "wb") as file:
                    while True:
                        size += file.write(b"x" * (1 << 20))
                        file.flush()
            except OSError as error:
                os.unlink("/tmp/full")
                return [size >> 20, error.errno]
        """,
        tmp_mb=600,
        memory_mb=1769,
    )
    size, number = machine.result(function)
    assert 560 <= size <= 600
    assert number == 28


def test_tmp_has_few_inodes(machine: Machine) -> None:
    function = machine.function(
        """
        import os
        def handler(event, context):
            try:
                for number in range(10_000_000):
                    os.close(os.open(f"/tmp/{number}", os.O_CREAT | os.O_WRONLY))
            except OSError as error:
                return [number, error.errno]
        """,
        memory_mb=1769,
    )
    count, number = machine.result(function)
    assert count < 70_000
    assert number == 28


def test_tmp_is_not_memory(machine: Machine) -> None:
    """A function of 128 MB may fill 512 MB of /tmp."""
    _needs_groups(machine)
    function = machine.function(
        """
        import os
        def handler(event, context):
            with open("/tmp/large", "wb") as file:
                for _ in range(300):
                    file.write(b"x" * (1 << 20))
            return os.path.getsize("/tmp/large") >> 20
        """,
        memory_mb=128,
    )
    assert machine.result(function) == 300


def test_cpu_is_in_proportion_to_memory(machine: Machine) -> None:
    _needs_groups(machine)
    function = machine.function(
        """
        import time
        def handler(event, context):
            began, used = time.monotonic(), time.process_time()
            while time.monotonic() - began < 1:
                pass
            return time.process_time() - used
        """,
        memory_mb=177,
    )
    assert machine.result(function) < 0.2, "a tenth of a processor, and what is left of a period"


def test_a_flood_of_output_does_not_hold_the_platform(machine: Machine) -> None:
    neighbour = machine.function(_NEIGHBOUR)
    machine.result(neighbour)
    flood = machine.function(
        "import os\ndef handler(event, context):\n    while True: os.write(1, b'x' * 65536)", timeout=1
    )
    request = {"do": "invoke", "spec": flood, "payload": "null"}
    first = machine.send(request)
    assert machine.send({"do": "invoke", "spec": neighbour, "payload": "null"}) != first
    answers = dict(machine.receive() for _ in range(2))
    assert answers[first]["error"] == "timeout"
    assert len(answers[first]["logs"]) <= 1 << 18
    machine.ask("lines", key=flood["key"])


@pytest.mark.parametrize(
    "frame",
    [
        "b'\\x04' + b'\\0' * 4 + b'\\xff' * 4 + b'x' * 100_000_000",
        "b'\\x63' + b'\\0' * 8",
        "b'\\x04' + b'\\1' * 8",
        "b'x' * 8",
    ],
)
def test_a_runtime_that_speaks_nonsense_is_ended(machine: Machine, frame: str) -> None:
    """A function may write to its runtime's channel itself."""
    function = machine.function(f"""
        import os, stat
        def handler(event, context):
            for fd in range(3, 20):
                try:
                    if stat.S_ISSOCK(os.fstat(fd).st_mode):
                        os.write(fd, {frame})
                except OSError:
                    pass
            os._exit(0)
    """)
    assert machine.invoke({**function, "timeout": 3.0, "memory_mb": 1769})["error"] in {"crash", "timeout", "too_large"}
