"""System calls that Python's standard library lacks. Every one raises OSError with the call's name."""

from __future__ import annotations

import ctypes
import fcntl
import importlib
import os
import platform
import socket
import struct
from collections.abc import Iterable
from typing import Any

X86 = platform.machine() == "x86_64"

CLONE_NEWTIME = 0x80
CLONE_NEWNS = 0x20000
CLONE_NEWCGROUP = 0x2000000
CLONE_NEWUTS = 0x4000000
CLONE_NEWIPC = 0x8000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_REMOUNT = 32
MS_NOATIME = 1024
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18
MNT_DETACH = 2

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_NAME = 15
PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_CLEAR_ALL = 4

CAP_SYS_ADMIN = 21

EVER = 0xFFFFFFFF
"""Seconds, as the C library counts them: 136 years."""

MOUNT_ATTR_RDONLY = 1
MOUNT_ATTR_NOSUID = 2
MOUNT_ATTR_NODEV = 4

_AT_FDCWD = -100
_AT_EMPTY_PATH = 0x1000
_AT_RECURSIVE = 0x8000
_OPEN_TREE_CLONE = 1
_MOVE_MOUNT_F_EMPTY_PATH = 4

_PIVOT_ROOT = 155 if X86 else 41
_SECCOMP = 317 if X86 else 277
_PIDFD_SEND_SIGNAL = 424
_OPEN_TREE = 428
_MOVE_MOUNT = 429
_PIDFD_OPEN = 434
_CLOSE_RANGE = 436
_CLONE = 56 if X86 else 220
_CLONE_FS, _CLONE_PARENT, _SIGCHLD = 0x200, 0x8000, 17
_MOUNT_SETATTR = 442
_OPENAT2 = 437
_BELOW = 0x01 | 0x02 | 0x04 | 0x08  # RESOLVE_NO_XDEV, NO_MAGICLINKS, NO_SYMLINKS, BENEATH
_MOUNT_ATTR_IDMAP = 0x100000
_MADV_DONTFORK, _MADV_DOFORK = 10, 11

_signal: Any = importlib.import_module("_signal")

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
_libc.mount.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p]
_libc.umount2.argtypes = [ctypes.c_char_p, ctypes.c_int]
_libc.prctl.argtypes = [ctypes.c_int, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong]
_libc.setns.argtypes = [ctypes.c_int, ctypes.c_int]
_libc.unshare.argtypes = [ctypes.c_int]
_libc.__errno_location.restype = ctypes.c_void_p
_libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
_libc.clone.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p]


def _check(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def syscall(what: str, number: int, *arguments: object) -> int:
    """A raw system call; integers go as longs, everything else as ctypes takes it."""
    values = [ctypes.c_long(value) if isinstance(value, int) else value for value in arguments]
    return _check(_libc.syscall(ctypes.c_long(number), *values), what)


def unshare(flags: int) -> None:
    _check(_libc.unshare(flags), f"unshare {flags:#x}")


def setns(fd: int, kind: int = 0) -> None:
    _check(_libc.setns(fd, kind), "setns")


def prctl(option: int, first: int = 0) -> int:
    return _check(_libc.prctl(option, first, 0, 0, 0), f"prctl {option}")


def mount(source: str | None, target: str, kind: str | None = None, flags: int = 0, data: str | None = None) -> None:
    names = [None if name is None else os.fsencode(name) for name in (source, target, kind)]
    options = None if data is None else os.fsencode(data)
    _check(_libc.mount(names[0], names[1], names[2], flags, options), f"mount {source} on {target}")


def unmount(target: str, flags: int = MNT_DETACH) -> None:
    _check(_libc.umount2(os.fsencode(target), flags), f"umount {target}")


def pivot_root(new: str, old: str) -> None:
    syscall("pivot_root", _PIVOT_ROOT, ctypes.c_char_p(os.fsencode(new)), ctypes.c_char_p(os.fsencode(old)))


def sethostname(name: str) -> None:
    raw = os.fsencode(name)
    _check(_libc.sethostname(raw, len(raw)), "sethostname")


def open_tree(path: str) -> int:
    """A detached copy of the mount that `path` is on, from `path` down, as a descriptor."""
    flags = _OPEN_TREE_CLONE | os.O_CLOEXEC
    return syscall("open_tree", _OPEN_TREE, _AT_FDCWD, ctypes.c_char_p(os.fsencode(path)), flags)


def open_below(folder: int, path: str) -> int:
    """A folder below another one, with no link and no other mount on the way."""
    how = ctypes.create_string_buffer(struct.pack("QQQ", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC, 0, _BELOW), 24)
    return syscall("openat2", _OPENAT2, folder, ctypes.c_char_p(os.fsencode(path)), how, 24)


def open_tree_of(fd: int) -> int:
    """A detached copy of the mount that a folder is on, from that folder down."""
    flags = _OPEN_TREE_CLONE | _AT_EMPTY_PATH | os.O_CLOEXEC
    return syscall("open_tree", _OPEN_TREE, fd, ctypes.c_char_p(b""), flags)


def restrict_mount(fd: int, attributes: int, translation: int = -1) -> None:
    """Set MOUNT_ATTR_* on a detached mount; have ids on it translated as those of a user namespace are."""
    space = max(translation, 0)
    attributes |= 0 if translation < 0 else _MOUNT_ATTR_IDMAP
    wanted = ctypes.create_string_buffer(struct.pack("QQQQ", attributes, 0, 0, space), 32)
    syscall("mount_setattr", _MOUNT_SETATTR, fd, ctypes.c_char_p(b""), _AT_EMPTY_PATH | _AT_RECURSIVE, wanted, 32)


def move_mount(fd: int, target: str) -> None:
    """Attach a detached mount at `target` in the caller's mount namespace."""
    empty, path = ctypes.c_char_p(b""), ctypes.c_char_p(os.fsencode(target))
    syscall("move_mount", _MOVE_MOUNT, fd, empty, _AT_FDCWD, path, _MOVE_MOUNT_F_EMPTY_PATH)


def fork_with_same_folder() -> int:
    """A fork that shares the current folder with this process, even after either execs, and is its parent's child too."""
    return syscall("clone", _CLONE, _CLONE_FS | _CLONE_PARENT | _SIGCHLD, 0, 0, 0, 0)


def pidfd_open(pid: int) -> int:
    return syscall("pidfd_open", _PIDFD_OPEN, pid, 0)


def pidfd_send_signal(fd: int, signal: int) -> None:
    syscall("pidfd_send_signal", _PIDFD_SEND_SIGNAL, fd, signal, 0, 0)


def close_all_but(kept: Iterable[int]) -> None:
    """Close every descriptor that is not among `kept`."""
    first = 0
    for fd in sorted(kept):
        if fd > first:
            syscall("close_range", _CLOSE_RANGE, first, fd - 1, 0)
        first = fd + 1
    syscall("close_range", _CLOSE_RANGE, first, 0xFFFFFFFF, 0)


def reset_signal(number: int) -> None:
    """Have a signal do what it does by default. `signal.signal` makes enumerations of it, which touches twenty pages."""
    _signal.signal(number, _signal.SIG_DFL)


def die_with_parent() -> None:
    """Have the kernel kill this process when the thread that made it ends."""
    prctl(PR_SET_PDEATHSIG, 9)


def name_process(name: str) -> None:
    """What `ps` and `/proc/<pid>/comm` show; 15 bytes."""
    buffer = ctypes.create_string_buffer(os.fsencode(name)[:15])
    prctl(PR_SET_NAME, ctypes.addressof(buffer))


def drop_bounding_set() -> None:
    """No exec, ever again, gives a capability."""
    for capability in range(64):
        if _libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0:
            break
    _libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)


def fork_in_new_pid_namespace() -> int:
    """`os.fork`, with the child as the first of a new pid namespace; this process stays in its own, as do its other
    children."""
    python = ctypes.PyDLL(None, use_errno=True)  # as `os.fork`, it does not let go of the interpreter meanwhile
    python.syscall.restype = ctypes.c_long
    ctypes.pythonapi.PyOS_BeforeFork()
    nothing = ctypes.c_long(0)
    flags = ctypes.c_long(CLONE_NEWPID | _SIGCHLD)
    pid = int(python.syscall(ctypes.c_long(_CLONE), flags, nothing, nothing, nothing, nothing))
    if pid == 0:
        ctypes.pythonapi.PyOS_AfterFork_Child()
    else:
        ctypes.pythonapi.PyOS_AfterFork_Parent()
    return _check(pid, "clone")


def thread_storage() -> int:
    """An address within what the C library keeps for the thread that calls."""
    return int(_libc.__errno_location() or 0)


def keep_from_copies(address: int, length: int) -> None:
    """Have copies of this process not get this part of its memory."""
    _check(_libc.madvise(address, length, _MADV_DONTFORK), "madvise")


def leave_to_copies(address: int, length: int) -> None:
    """Have copies of this process get this part of its memory, as they do if nothing is said."""
    _check(_libc.madvise(address, length, _MADV_DOFORK), "madvise")


def clone_waiting(flags: int, stack: ctypes.Array[ctypes.c_char], seconds: int = EVER) -> int:
    """A copy of this process that waits so long, returns to no Python, and ends with status 0; its pid."""
    top = (ctypes.addressof(stack) + len(stack) - 64) & ~15  # room for what a call may leave above
    return _check(_libc.clone(ctypes.cast(_libc.sleep, ctypes.c_void_p), top, flags | _SIGCHLD, seconds), "clone")


_HEADER = ctypes.create_string_buffer(struct.pack("II", 0x20080522, 0), 8)
_NONE = ctypes.create_string_buffer(24)
"""Made once: making a buffer makes a class, of which an environment touches fifty pages."""


def keep_capability(number: int) -> None:
    """Give up every capability of this process but one of the first 32."""
    kept = struct.pack("IIIIII", 1 << number, 1 << number, 0, 0, 0, 0)
    _check(_libc.capset(_HEADER, ctypes.create_string_buffer(kept, 24)), "capset")


def drop_capabilities() -> None:
    """Give up every capability of this process."""
    _check(_libc.capset(_HEADER, _NONE), "capset")


class Filter:
    """A seccomp program (struct sock_filter[]), to be put on this thread and what it makes."""

    def __init__(self, program: bytes) -> None:
        self._instructions = ctypes.create_string_buffer(program, len(program))
        header = struct.pack("H6xQ", len(program) // 8, ctypes.addressof(self._instructions))
        self._header = ctypes.create_string_buffer(header, len(header))

    def install(self) -> None:
        syscall("seccomp", _SECCOMP, 1, 0, self._header)


def loopback_up() -> None:
    """Bring up `lo` in this network namespace."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, 0x8914, struct.pack("16sh14x", b"lo", 0x41))  # SIOCSIFFLAGS: IFF_UP | IFF_RUNNING
