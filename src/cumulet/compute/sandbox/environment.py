"""One environment from the inside: its init process, and how the process that runs the function is confined.

The init process is the first of a new pid namespace. It makes the file system and network, forks the runtime's
process, and waits. The runtime's process gives up everything before a function is known; what a function needs
mounted is mounted by init, which then gives up everything as well and only reports how the runtime ended.
"""

from __future__ import annotations

import os
import resource
import select
import signal
import socket
from collections.abc import Callable

from cumulet.compute.linux import seccomp, syscalls
from cumulet.compute.sandbox import extensions, messages

_NAMESPACES = syscalls.CLONE_NEWNS | syscalls.CLONE_NEWIPC | syscalls.CLONE_NEWUTS
_LIMITS = (
    (resource.RLIMIT_NOFILE, 1024),
    (resource.RLIMIT_CORE, 0),
    (resource.RLIMIT_MEMLOCK, 64 * 1024),
    (resource.RLIMIT_MSGQUEUE, 819_200),
)
_MAX_PROCESSES = 1024
_MAX_INODES = 65_536
_FIRST_TMP_MB = 16
_FILTER = seccomp.program()

StartRuntime = Callable[[socket.socket, socket.socket, messages.Message], None]
"""Runs a runtime in the confined process: (where its assignment comes from, its channel to the platform, what it is told
at once). It sends a message on the first when it is ready for one."""


class Descriptors:
    """What the supervisor hands to a new environment."""

    def __init__(self, fds: list[int], mounts: int, networks: int) -> None:
        self.report = socket.socket(fileno=fds[0])
        self.assign = socket.socket(fileno=fds[1])
        self.channel = socket.socket(fileno=fds[2])
        self.log = fds[3]
        self.mounts = fds[4 : 4 + mounts]
        self.networks = fds[4 + mounts : 4 + mounts + networks]
        self.groups = fds[4 + mounts + networks :]


def run(order: messages.Message, fds: list[int], start_runtime: StartRuntime) -> None:
    """The life of an environment's init process."""
    if order["uid"] is not None:
        syscalls.die_with_parent()  # rootless, its parent ends at once: see the zygote
    given = Descriptors(fds, int(order["tmp_mounts"]), int(order["networks"]))
    for fd in given.groups:
        os.write(fd, b"0")
        os.close(fd)
    _make_world(order, given)
    listeners = [_listen(port) for port in order["ports"]]
    here, there = messages.pair()
    syscalls.drop_bounding_set()  # for both: what init still does, it does with what it has
    runtime = os.fork()
    if runtime == 0:
        _confine(order, given.log)
        syscalls.close_all_but([0, 1, 2, there.fileno(), given.channel.fileno()])
        start_runtime(there, given.channel, order["start"])
        os._exit(0)
    there.close()
    given.channel.close()
    warmed, _ = messages.receive(here)
    if warmed is None:
        return
    itself = syscalls.pidfd_open(os.getpid())
    messages.send(given.report, {"ready": True}, [itself, *(listener.fileno() for listener in listeners)])
    os.close(itself)
    for listener in listeners:
        listener.close()
    members: list[extensions.Member] = []
    assignment = _assign(given.assign)
    if assignment is None:
        return
    if names := extensions.find():
        members = extensions.launch(names, assignment["environment"], lambda output: _confine(order, output))
    _give_up()
    if members:
        extensions.report(given.report, runtime, members)
    else:
        messages.send(here, assignment)
        here.close()
    _serve(given.report, runtime, Waiting(here, assignment, members))


class Waiting:
    """The runtime's process and what it is to be told once the extensions have registered."""

    def __init__(self, runtime: socket.socket, assignment: messages.Message, members: list[extensions.Member]) -> None:
        self._runtime = runtime
        self._assignment = assignment
        self.members = {member.pid: member.name for member in members if member.pid}
        self.extended = bool(members)

    def go(self) -> None:
        messages.send(self._runtime, self._assignment)
        self._runtime.close()


def _make_world(order: messages.Message, given: Descriptors) -> None:
    syscalls.unshare(_NAMESPACES)
    _enter_network(given.networks)
    if given.mounts:
        syscalls.move_mount(given.mounts[0], "/tmp")  # noqa: S108 - the sandbox's own
        os.close(given.mounts[0])
    else:
        _mount_memory_tmp(_FIRST_TMP_MB)
    if order["uid"] is not None:
        _name_user(order["uid"])
    syscalls.mount("proc", "/proc", "proc", syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC)
    syscalls.sethostname("169.254.100.6")
    nothing = os.open("/dev/null", os.O_RDWR)
    os.dup2(nothing, 0)
    os.close(nothing)


def _enter_network(made: list[int]) -> None:
    """The one that leads out or, where there is none, one that does not."""
    if not made:
        syscalls.unshare(syscalls.CLONE_NEWNET)
        syscalls.loopback_up()
    for fd in made:
        syscalls.setns(fd, syscalls.CLONE_NEWNET)
        os.close(fd)


def _mount_memory_tmp(size_mb: int) -> None:
    options = f"size={size_mb}m,mode=1777,nr_inodes={_MAX_INODES}"
    syscalls.mount("tmpfs", "/tmp", "tmpfs", syscalls.MS_NOSUID | syscalls.MS_NODEV, options)  # noqa: S108


def _name_user(uid: int) -> None:
    """Have the user that the function runs as known, by the name and home that Lambda gives it."""
    users = "/tmp/.passwd"  # noqa: S108 - the sandbox's own
    _write(users, f"root:x:0:0:root:/:/sbin/nologin\nsbx_user1051:x:{uid}:{uid}::/home/sbx_user1051:/sbin/nologin\n")
    syscalls.mount(users, "/etc/passwd", None, syscalls.MS_BIND)
    os.unlink(users)  # noqa: PTH108


def _write(path: str, text: str) -> None:
    """Plainly: each further module that is used here costs every environment memory and time."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o444)
    os.write(fd, text.encode())
    os.close(fd)


def _listen(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(128)
    return listener


def _confine(order: messages.Message, output: int) -> None:
    """Make this process one of the function's, which writes to `output`."""
    os.setsid()
    uid = order["uid"]
    _write("/proc/self/oom_score_adj", "500")  # a function goes before its init
    if uid is not None:
        os.fchown(output, uid, uid)  # or it could not open /dev/stdout
    os.dup2(output, 1)
    os.dup2(output, 2)
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_DFL)  # as the supervisor has it, not for the function and its children
    for limit, amount in _LIMITS:
        resource.setrlimit(limit, (amount, amount))
    if uid is not None:
        resource.setrlimit(resource.RLIMIT_NPROC, (_MAX_PROCESSES, _MAX_PROCESSES))
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    _give_up()


def _give_up() -> None:
    """No capability, no way to one, and only the system calls of the list."""
    syscalls.drop_capabilities()
    syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
    syscalls.install_filter(_FILTER)
    syscalls.prctl(syscalls.PR_SET_DUMPABLE, 1)


def _assign(orders: socket.socket) -> messages.Message | None:
    """Wait for the function and mount what it needs; None when none will come."""
    message, mounts = messages.receive(orders)
    if message is None:
        return None
    for target, fd in zip(message["mounts"], mounts):
        syscalls.move_mount(fd, target)
        os.close(fd)
    if message["tmp_mb"]:
        _mount_memory_tmp(message["tmp_mb"])
    orders.close()
    assignment: messages.Message = message["assignment"]
    return assignment


def _serve(report: socket.socket, runtime: int, waiting: Waiting) -> None:
    """Reap whatever ends here until the runtime does, and say how it did; with this process the rest is killed.

    Where there are extensions, they go on after their runtime, and the platform says when it is time. It may also ask
    for sockets. Ends as well when the platform is gone, however that came.
    """
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    os.set_blocking(reading, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(writing)
    poll = select.poll()
    poll.register(reading, select.POLLIN)
    poll.register(report.fileno(), select.POLLIN)
    while True:
        for pid, status in _reap():
            how = {"signal": os.WTERMSIG(status)} if os.WIFSIGNALED(status) else {"status": os.WEXITSTATUS(status)}
            if pid == runtime:
                messages.send(report, how)
                if not waiting.extended:
                    return
            elif pid in waiting.members:
                messages.send(report, {"ended": waiting.members[pid], **how})
        ready = [fd for fd, _ in poll.poll()]
        if reading in ready:
            os.read(reading, 4096)
        if report.fileno() in ready and not _obey(report, runtime, waiting):
            return


def _obey(report: socket.socket, runtime: int, waiting: Waiting) -> bool:
    """Do what the platform asks for; False when it is gone."""
    try:
        order, _ = messages.receive(report)
    except OSError:
        return False
    if order is None:
        return False
    if "socket" in order:
        extensions.give_socket(report, order)
    elif "process" in order:  # of the runtime, so that it can be ended
        process = syscalls.pidfd_open(runtime)
        messages.send(report, {"runtime": True}, [process])
        os.close(process)
    elif "go" in order:
        waiting.go()
    return True


def _reap() -> list[tuple[int, int]]:
    """Everything that has ended, with its status."""
    ended: list[tuple[int, int]] = []
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if pid == 0:
            return ended
        ended.append((pid, status))
