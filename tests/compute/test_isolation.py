"""Hostile functions: everything a sandbox must refuse. Each attack answers `denied: ...`, or what it got."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.compute.conftest import Machine

TOOLS = """
import ctypes, errno, os, socket, struct, sys

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long

def call(number, *arguments):
    values = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    ctypes.set_errno(0)
    result = libc.syscall(ctypes.c_long(number), *values)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result

def handler(event, context):
    try:
        return "GOT " + repr(eval(event["code"], globals(), dict(event.get("names", {}))))
    except OSError as error:
        return "denied: " + errno.errorcode.get(error.errno, "?")
    except ValueError as error:
        return "denied: " + str(error)

def write(path, text):
    fd = os.open(path, os.O_WRONLY)
    try:
        return os.write(fd, text)
    finally:
        os.close(fd)
"""


@pytest.fixture(scope="module")
def hostile(machine: Machine) -> dict[str, Any]:
    return machine.function(TOOLS)


X86 = os.uname().machine == "x86_64"

_CALLS = {
    "mount": "libc.mount(b'none', b'/tmp', b'tmpfs', 0, None) and call(165, b'none', b'/tmp', b'tmpfs', 0, 0)",
    "umount": "call(166, b'/var/task', 2)",
    "pivot_root": "call(155, b'/tmp', b'/tmp')",
    "chroot": "os.chroot('/tmp')",
    "ptrace": "call(101, 16, 1, 0, 0)",
    "process_vm_readv": "call(310, 1, 0, 0, 0, 0, 0)",
    "process_vm_writev": "call(311, 1, 0, 0, 0, 0, 0)",
    "setns": "call(308, os.open('/proc/self/ns/net', os.O_RDONLY), 0)",
    "unshare user": "call(272, 0x10000000)",
    "unshare mount": "call(272, 0x20000)",
    "unshare network": "call(272, 0x40000000)",
    "clone with namespaces": "call(56, 0x10000000 | 17, 0, 0, 0, 0)",
    "bpf": "call(321, 0, b'', 0)",
    "io_uring": "call(425, 1, b'\\0' * 120)",
    "keyctl": "call(250, 0, -3, 0)",
    "add_key": "call(248, b'user', b'x', b'y', 1, -3)",
    "userfaultfd": "call(323, 0)",
    "perf_event_open": "call(298, b'\\0' * 128, 0, -1, -1, 0)",
    "kexec": "call(246, 0, 0, 0, 0)",
    "init_module": "call(175, b'', 0, b'')",
    "reboot": "call(169, 0xfee1dead, 672274793, 0, 0)",
    "swapon": "call(167, b'/tmp/x', 0)",
    "sethostname": "socket.sethostname('x')",
    "settimeofday": "call(164, b'\\0' * 16, 0)",
    "clock_settime": "__import__('time').clock_settime(0, 1)",
    "open_by_handle_at": "call(304, -100, b'\\0' * 128, 0)",
    "name_to_handle_at": "call(303, -100, b'/', b'\\0' * 128, b'\\0' * 8, 0)",
    "open_tree": "call(428, -100, b'/', 1)",
    "move_mount": "call(429, -100, b'/tmp', -100, b'/opt', 0)",
    "fsopen": "call(430, b'tmpfs', 0)",
    "mount_setattr": "call(442, -100, b'/', 0, b'\\0' * 32, 32)",
    "pidfd_getfd": "call(438, 1, 0, 0)",
    "personality": "call(135, 0x0040000)",
    "iopl": "call(172, 3)",
    "modify_ldt": "call(154, 0, b'', 0)",
    "quotactl": "call(179, 0, 0, 0, 0)",
    "acct": "call(163, b'/tmp/x')",
    "syslog": "call(103, 3, b'', 0)",
    "fanotify_init": "call(300, 0, 0)",
    "memfd_secret": "call(447, 0)",
    "x32 getpid": "call(0x40000000 + 39)",
    "mknod of a device": "os.mknod('/tmp/disk', 0o60666, os.makedev(254, 0))",
    "setuid": "os.setuid(0)",
    "setgid": "os.setgid(0)",
    "setgroups": "os.setgroups([0])",
    "raising a limit": "__import__('resource').setrlimit(7, (100000, 100000))",
    "negative nice": "os.nice(-5)",
    "stealing input of a terminal": "__import__('fcntl').ioctl(0, 0x5412, b'x')",
    "AF_PACKET": "socket.socket(17, socket.SOCK_RAW)",
    "AF_VSOCK": "socket.socket(40, socket.SOCK_STREAM)",
    "AF_ALG": "socket.socket(38, socket.SOCK_SEQPACKET)",
    "AF_KEY": "socket.socket(15, socket.SOCK_RAW, 2)",
    "AF_BLUETOOTH": "socket.socket(31, socket.SOCK_RAW)",
    "raw socket": "socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)",
    "netlink other than routing": "socket.socket(16, socket.SOCK_RAW, 12)",
}
_FILES = {
    "write to the root": "open('/x', 'w')",
    "write to the code": "open('/var/task/app.py', 'a')",
    "new file in the code": "open('/var/task/x', 'w')",
    "write to a layer": "open('/opt/x', 'w')",
    "write to /usr": "open('/usr/x', 'w')",
    "write to /etc": "open('/etc/passwd', 'a')",
    "write to the runtime": "open('/var/rapid/compute/sandbox/launch.py', 'a')",
    "write to /dev": "open('/dev/x', 'w')",
    "write to /dev/shm": "open('/dev/shm/x', 'w')",
    "write to /proc/sys": "write('/proc/sys/kernel/core_pattern', b'x')",
    "write to sysrq": "write('/proc/sysrq-trigger', b'b')",
    "write to own map": "write('/proc/self/uid_map', b'0 0 1')",
    "oom score": "write('/proc/self/oom_score_adj', b'-1000')",
    "memory of init": "open('/proc/1/mem', 'rb').read(1)",
    "environment of init": "open('/proc/1/environ', 'rb').read()",
    "root of init": "os.listdir('/proc/1/root')",
    "descriptors of init": "os.listdir('/proc/1/fd')",
    "shadow": "open('/etc/shadow').read()",
    "control groups": "os.listdir('/sys/fs/cgroup')",
    "kernel memory": "open('/dev/mem', 'rb')",
    "disk": "open('/dev/vda', 'rb')",
    "tun": "open('/dev/net/tun', 'rb')",
    "fuse": "open('/dev/fuse', 'rb')",
    "kvm": "open('/dev/kvm', 'rb')",
    "loop devices": "open('/dev/loop-control', 'rb')",
    "kernel log": "open('/dev/kmsg', 'rb').read(10)",
    "home folders": "os.listdir('/root')",
    "platform's process table": "os.kill(2, 0) or os.kill(3, 0)",
}


ROOTLESS_OWNS = frozenset({
    "environment of init", "root of init", "descriptors of init", "memory of init", "setuid", "setgid",
})  # fmt: skip
"""Rootless, a function is user 0 of a user namespace, without capabilities, and its init is the same user."""


ATTACKS = {**(_CALLS if X86 else {}), **_FILES}


@pytest.mark.parametrize("attack", ATTACKS)
def test_refuses(machine: Machine, hostile: dict[str, Any], attack: str) -> None:
    if machine.level == "rootless" and attack in ROOTLESS_OWNS:
        pytest.skip("rootless: a function and its init are one user, who has no capability")
    outcome = machine.result(hostile, {"code": ATTACKS[attack]})
    assert outcome.startswith("denied: "), outcome


def test_clone3_is_not_there_and_threads_work(machine: Machine, hostile: dict[str, Any]) -> None:
    assert machine.result(hostile, {"code": "call(435, b'\\0' * 88, 88)"}) == "denied: ENOSYS"
    code = "__import__('concurrent.futures').futures.ThreadPoolExecutor(2).submit(lambda: 5).result()"
    assert machine.result(hostile, {"code": code}) == "GOT 5"


def test_has_no_capability_and_no_way_to_one(machine: Machine, hostile: dict[str, Any]) -> None:
    status = machine.result(hostile, {"code": "open('/proc/self/status').read()"})
    for line in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert f"{line}:\\t0000000000000000" in status, line
    assert "NoNewPrivs:\\t1" in status
    assert "Seccomp:\\t2" in status


def test_setuid_programs_give_nothing(machine: Machine, hostile: dict[str, Any]) -> None:
    program = next((path for path in ("/usr/bin/su", "/usr/bin/mount", "/usr/bin/passwd") if Path(path).exists()), None)
    if program is None:
        pytest.skip("this machine has no setuid program in /usr/bin")
    code = f"[os.stat('{program}').st_mode & 0o4000, os.statvfs('{program}').f_flag & os.ST_NOSUID]"
    assert machine.result(hostile, {"code": code}) == f"GOT [2048, {os.ST_NOSUID}]"


def test_sees_its_own_processes_only(machine: Machine, hostile: dict[str, Any]) -> None:
    code = "sorted(int(name) for name in os.listdir('/proc') if name.isdigit())"
    assert machine.result(hostile, {"code": code}) == "GOT [1, 2]"


def test_inherits_only_its_own_descriptors(machine: Machine) -> None:
    hostile = machine.function(TOOLS)
    code = "sorted(os.readlink('/proc/self/fd/' + fd).split(':')[0] for fd in os.listdir('/proc/self/fd') if os.path.exists('/proc/self/fd/' + fd))"
    names = machine.result(hostile, {"code": code})
    assert names == "GOT ['/dev/null', 'pipe', 'pipe', 'socket']"


def test_finds_no_file_of_the_platform(machine: Machine, hostile: dict[str, Any]) -> None:
    secret = machine.folder / "secret"
    secret.write_text("x")
    for path in (secret, machine.folder, Path.home(), Path("/proc") / str(machine.process.pid)):
        assert machine.result(hostile, {"code": f"os.stat({str(path)!r})"}) == "denied: ENOENT"
    assert "secret" not in machine.result(hostile, {"code": "os.listdir('/tmp')"})


@pytest.fixture
def sockets(machine: Machine) -> Iterator[dict[str, Any]]:
    """A platform's sockets of every kind, reachable by anyone on the machine."""
    path = str(machine.folder / "platform.sock")
    with (
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(socket.AF_UNIX) as abstract,
        socket.socket(socket.AF_UNIX) as unix,
    ):
        name = f"\0{machine.name}-abstract"
        abstract.bind(name)
        abstract.listen()
        unix.bind(path)
        unix.listen()
        Path(path).chmod(0o777)
        yield {"port": tcp.getsockname()[1], "path": path, "abstract": name}
    Path(path).unlink()


def test_reaches_no_socket_of_the_machine(machine: Machine, hostile: dict[str, Any], sockets: dict[str, Any]) -> None:
    def attempt(code: str) -> str:
        return str(machine.result(hostile, {"code": code}))

    assert attempt(f"socket.create_connection(('127.0.0.1', {sockets['port']}), 2)") == "denied: ECONNREFUSED"
    assert attempt(f"socket.create_connection(('::1', {sockets['port']}), 2)").startswith("denied: ")
    unix = "(lambda s: s.connect({}))(socket.socket(socket.AF_UNIX))"
    assert attempt(unix.format(repr(sockets["path"]))) == "denied: ENOENT"
    assert attempt(unix.format(repr(sockets["abstract"]))) == "denied: ECONNREFUSED"


def test_environments_do_not_see_each_other(machine: Machine, hostile: dict[str, Any]) -> None:
    other = machine.function("""
        import os, socket, time
        held = socket.create_server(("127.0.0.1", 7777))
        hidden = socket.socket(socket.AF_UNIX)
        hidden.bind("\\0neighbour")
        hidden.listen()
        open("/tmp/secret", "w").write("x")
        def handler(event, context):
            return os.getpid()
    """)
    machine.result(other)
    attempts = [
        "socket.create_connection(('127.0.0.1', 7777), 2)",
        "(lambda s: s.connect('\\0neighbour'))(socket.socket(socket.AF_UNIX))",
        "open('/tmp/secret').read()",
    ]
    for attempt in attempts:
        assert machine.result(hostile, {"code": attempt}).startswith("denied: ")


def test_cannot_kill_its_init(machine: Machine, hostile: dict[str, Any]) -> None:
    machine.result(hostile, {"code": "None"})
    outcome = machine.invoke(hostile, {"code": "os.kill(1, 9)"})
    assert outcome["error"] is None
    assert machine.result(hostile, {"code": "os.path.exists('/proc/1')"}) == "GOT True"
