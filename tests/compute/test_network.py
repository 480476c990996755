"""What functions reach: the outside, and of this machine only the listed ports; never one another."""

import contextlib
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.compute.conftest import ROOT, Machine, make_machine

# The outside has one address on a machine: these tests run one after the other, in one process at a time, and wait for others'.
pytestmark = [pytest.mark.xdist_group("network"), pytest.mark.timeout(900)]

_TOOLS = "/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin"
_HERE, _OUTSIDE = "198.51.100.1", "198.51.100.2"
_PORT = 8080
_SERVER = f"""
import socket
with socket.create_server(("0.0.0.0", {_PORT})) as server:
    print("up", flush=True)
    while True:
        client, peer = server.accept()
        client.sendall(peer[0].encode())
        client.close()
"""
_FUNCTION = """
import errno, fcntl, socket, struct, time

held = socket.create_server(("0.0.0.0", 7000))

def handler(event, context):
    began = time.monotonic()
    try:
        answer = run(event)
    except OSError as error:
        answer = errno.errorcode.get(error.errno, str(error))
    return answer if time.monotonic() - began < 30 else "slow " + str(answer)

def run(event):
    if event == "own address":
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            return socket.inet_ntoa(fcntl.ioctl(asking, 0x8915, struct.pack("256s", b"eth0"))[20:24])
    if event == "spoof":
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sending:
            sending.setsockopt(socket.IPPROTO_IP, 15, 1)  # IP_FREEBIND: any address, without a privilege
            sending.bind(("198.51.100.77", 0))
            return sending.sendto(b"x", ("198.51.100.2", 8080))
    if event == "files":
        return open("/etc/resolv.conf").read() + open("/etc/hosts").read()
    with socket.create_connection(tuple(event), 40) as connection:
        return connection.recv(100).decode()
"""


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


@pytest.fixture(scope="module")
def outside() -> Iterator[str]:
    """A network namespace that stands for the rest of the world: its address. A server there answers who called."""
    if not ROOT:
        pytest.skip("needs root, for a network namespace that stands for the outside")
    for tool in ("ip", "nft"):
        if shutil.which(tool, path=_TOOLS) is None:
            pytest.skip(f"needs {tool}: install {'iproute2' if tool == 'ip' else 'nftables'}")
    alone = (Path(tempfile.gettempdir()) / "cumulet-test-network.lock").open("w")
    fcntl.flock(alone, fcntl.LOCK_EX)  # freed when this process ends, however it ends
    for left in subprocess.run(["ip", "netns", "list"], check=True, capture_output=True, text=True).stdout.split():
        if left.startswith("cumulet-test-"):  # by a run that was killed; its link goes with it
            _ip("netns", "del", left)
    name = f"cumulet-test-{os.getpid()}"
    here, there = f"cto{os.getpid()}", f"cti{os.getpid()}"
    _ip("netns", "add", name)
    try:
        _ip("link", "add", here, "type", "veth", "peer", "name", there, "netns", name)
        _ip("addr", "add", f"{_HERE}/24", "dev", here)
        _ip("link", "set", here, "up")
        _ip("-n", name, "addr", "add", f"{_OUTSIDE}/24", "dev", there)
        _ip("-n", name, "link", "set", there, "up")
        _ip("-n", name, "link", "set", "lo", "up")
        command = ["ip", "netns", "exec", name, sys.executable, "-c", _SERVER]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            server.stdout.readline()
            yield name
            server.kill()
    finally:
        _ip("netns", "del", name)
        alone.close()


@pytest.fixture(scope="module")
def ports() -> Iterator[tuple[int, int]]:
    """Two ports of this machine that answer on every address of it; the first is listed, the second is not."""
    with socket.create_server(("127.0.0.1", 0)) as listed, socket.create_server(("0.0.0.0", 0)) as other:

        def serve(server: socket.socket) -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                client.sendall(b"this machine")
                client.close()

        for server in (listed, other):
            threading.Thread(target=serve, args=(server,), daemon=True).start()
        yield listed.getsockname()[1], other.getsockname()[1]
        for server in (listed, other):
            server.shutdown(socket.SHUT_RDWR)


@pytest.fixture(scope="module", params=["full", "rootless"])
def machine(request: pytest.FixtureRequest, outside: str, ports: tuple[int, int]) -> Iterator[Machine]:
    del outside
    if request.param == "rootless":
        if shutil.which("pasta", path=_TOOLS) is None:
            pytest.skip("rootless: needs pasta: install passt")
        if not os.access("/dev/net/tun", os.F_OK) or Path("/dev/net/tun").stat().st_mode & 0o6 != 0o6:
            pytest.skip("rootless: /dev/net/tun is not open to every user")
    with make_machine(request.param, internal_ports=[ports[0]]) as made:
        yield made


@pytest.fixture(scope="module")
def function(machine: Machine) -> dict[str, Any]:
    return machine.function(_FUNCTION)


def test_reaches_the_outside_as_this_machine(machine: Machine, function: dict[str, Any]) -> None:
    assert machine.result(function, [_OUTSIDE, _PORT]) == _HERE


def test_reaches_no_address_of_this_machine(machine: Machine, function: dict[str, Any], ports: tuple[int, int]) -> None:
    for port in ports:
        assert machine.result(function, ["127.0.0.1", port]) == "ECONNREFUSED"
        assert machine.result(function, [_HERE, port]) == "EHOSTUNREACH"
    if machine.level == "full":
        end_of_link = next(line.split()[3] for line in _addresses() if _link(machine) in line).partition("/")[0]
        assert machine.result(function, [end_of_link, ports[1]]) == "EHOSTUNREACH"
    assert machine.result(function, ["169.254.0.1", ports[1]]) == "EHOSTUNREACH"


def _addresses() -> list[str]:
    return subprocess.run(["ip", "-o", "-4", "addr"], check=True, capture_output=True, text=True).stdout.splitlines()


def test_reaches_the_listed_ports_of_this_machine(
    machine: Machine, function: dict[str, Any], ports: tuple[int, int]
) -> None:
    assert machine.result(function, ["host.cumulet.internal", ports[0]]) == "this machine"
    assert machine.result(function, ["host.cumulet.internal", ports[1]]) == "EHOSTUNREACH"


@pytest.mark.parametrize("address", ["169.254.169.254", "169.254.170.2", "0.1.2.3", "240.0.0.1"])
def test_reaches_nothing_of_the_link(machine: Machine, function: dict[str, Any], address: str) -> None:
    assert machine.result(function, [address, 80]) == "EHOSTUNREACH"


def test_does_not_reach_another_environment(machine: Machine, function: dict[str, Any]) -> None:
    other = machine.function(_FUNCTION)
    address = machine.result(other, "own address")
    assert address != machine.result(function, "own address")
    assert machine.result(function, [address, 7000]) == "EHOSTUNREACH"


def test_cannot_send_from_another_address(machine: Machine, function: dict[str, Any]) -> None:
    assert machine.result(function, "spoof") in ("EINVAL", "ENETUNREACH")  # by kernel


def test_another_source_address_is_dropped_even_with_privileges(machine: Machine, outside: str) -> None:
    """As if a function had found a way to give its interface another address."""
    sleeper = machine.function("import time\ndef handler(event, context):\n    time.sleep(8)")
    machine.send({"do": "invoke", "spec": sleeper, "payload": "0"})
    capture = subprocess.Popen(
        ["ip", "netns", "exec", outside, sys.executable, "-c", _LISTENER], stdout=subprocess.PIPE, text=True
    )
    assert capture.stdout is not None
    with capture:
        capture.stdout.readline()
        pid = _confined(machine)
        inside = ["nsenter", f"--net=/proc/{pid}/ns/net"]
        send = "import socket, sys; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind((sys.argv[1], 0)); "
        send += f"s.sendto(sys.argv[1].encode(), ('{_OUTSIDE}', 9090))"
        spoofed = "203.0.113.5"
        subprocess.run([*inside, "ip", "addr", "add", f"{spoofed}/32", "dev", "eth0"], check=True)
        subprocess.run([*inside, sys.executable, "-c", send, spoofed], check=True)
        subprocess.run([*inside, sys.executable, "-c", send, "0.0.0.0"], check=True)
        assert capture.stdout.readline() == "0.0.0.0\n", "the first to arrive is the one from its own address"
    machine.receive()


_LISTENER = """
import socket
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
    server.bind(("0.0.0.0", 9090))
    print("up", flush=True)
    print(server.recv(100).decode(), flush=True)
"""


def _confined(machine: Machine) -> int:
    """A process of an environment, which has a network of its own."""
    own, deadline = Path("/proc/self/ns/net").readlink(), time.monotonic() + 60
    while True:
        for pid in _called(machine, "cumulet-zygote"):
            with contextlib.suppress(OSError):  # it may end meanwhile
                if Path(f"/proc/{pid}/ns/net").readlink() != own:
                    return pid
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _below(machine: Machine) -> list[int]:
    """Every process of the machine's."""
    found, new = [], [machine.process.pid]
    while new:
        new = [int(child) for pid in new for child in _children(pid)]
        found += new
    return found


def _children(pid: int) -> list[str]:
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
    except FileNotFoundError:
        return []
    return [child for task in tasks for child in _read(f"{task}/children").split()]


def _called(machine: Machine, name: str) -> list[int]:
    return [pid for pid in _below(machine) if _read(f"/proc/{pid}/comm") == f"{name}\n"]


def _read(path: str) -> str:
    """Nothing of a process that has ended meanwhile."""
    try:
        return Path(path).read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def test_asks_name_servers_that_it_can_reach(machine: Machine, function: dict[str, Any]) -> None:
    text = machine.result(function, "files")
    assert "169.254.0.1 host.cumulet.internal" in text
    assert "nameserver 127." not in text


def test_level_says_that_there_is_outbound_network(machine: Machine) -> None:
    assert machine.ask("level")["abilities"]["outbound network"] == ""


@pytest.mark.parametrize("level", ["full", "rootless"])
def test_without_tools_the_level_says_so_and_connections_fail_at_once(level: str) -> None:
    with make_machine(level, tool_path="") as machine:
        found = machine.ask("level")
        assert "no outbound network: install nftables (nft)" in found["abilities"]["outbound network"]
        assert any("install nftables" in advice for advice in found["advice"])
        function = machine.function("import fcntl, struct\n" + _FUNCTION)
        assert machine.result(function, [_OUTSIDE, _PORT]) == "ENETUNREACH"


def _link(machine: Machine) -> str:
    """What the machine's link and its table of rules are called."""
    seed = f"{machine.name}:{_called(machine, 'cumulet-net')[0]}"
    return f"cml{zlib.crc32(seed.encode()):08x}"


def _left(name: str) -> list[str]:
    """Which of the two there are."""
    tables = subprocess.run(["nft", "list", "tables"], check=True, capture_output=True, text=True).stdout.split()
    links = [link for _, link in socket.if_nameindex()]
    return [kind for kind, names in (("rules", tables), ("link", links)) if name in names]


def _comes_to(name: str, *wanted: list[str]) -> bool:
    deadline = time.monotonic() + 60
    while (found := _left(name)) not in wanted and time.monotonic() < deadline:
        time.sleep(0.05)
    return found in wanted


def test_leaves_no_link_and_no_rule(outside: str) -> None:
    del outside
    with make_machine("full") as machine:
        function = machine.function(_FUNCTION)
        for _ in range(3):
            requests = [{"do": "invoke", "spec": function, "payload": f'["{_OUTSIDE}", {_PORT}]'}] * 8
            assert {answer["payload"] for answer in machine.ask_all(requests)} == {f'"{_HERE}"'}
            machine.ask("retire", key=function["key"])
        name = _link(machine)
        assert _left(name) == ["rules", "link"]
    assert _comes_to(name, [])


def test_rules_of_a_killed_node_are_swept_at_the_next_start(outside: str) -> None:
    del outside
    with make_machine("full") as machine:
        machine.result(machine.function(_FUNCTION), "own address")
        name = _link(machine)
        os.kill(_called(machine, "cumulet-net")[0], signal.SIGKILL)
        assert _comes_to(name, ["rules"], []), (
            "its link goes with it, its rules stay, if no other node starts just then"
        )
    with make_machine("full") as machine:
        machine.result(machine.function(_FUNCTION), "own address")
        assert _comes_to(name, [])
