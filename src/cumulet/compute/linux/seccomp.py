"""The system calls a function may make: an allow list, as a BPF program.

What is on no list answers ENOSYS when it is newer than this table, so that libraries fall back, and EPERM otherwise.
clone3 answers ENOSYS because a filter cannot see its flags; clone's are checked for new namespaces.
"""

from __future__ import annotations

import errno
import platform
import struct

_X86 = platform.machine() == "x86_64"
_ARCHITECTURE = 0xC000003E if _X86 else 0xC00000B7

_LOAD, _JUMP_EQUAL, _JUMP_GREATER_EQUAL, _JUMP_SET, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x50000, 0x80000000
_OFFSET_NUMBER, _OFFSET_ARCHITECTURE, _OFFSET_ARGUMENTS = 0, 4, 16

_NEW_NAMESPACES = 0x7E020000
_X32 = 0x40000000
_CLONE3 = 435
_FIRST_SHARED, _LAST_SHARED = 424, 462  # the numbers that every architecture shares, up to mseal

_DENIED_X86 = frozenset({
    101, 103, 134, 135, 136, 153, 154, 155, 156, 159,  # ptrace syslog uselib personality ustat vhangup ldt pivot sysctl adjtimex
    161, 163, 164, 165, 166, 167, 168, 169, 170, 171,  # chroot acct settimeofday mount umount2 swapon swapoff reboot hostname domain
    172, 173, 174, 175, 176, 177, 178, 179, 180, 212,  # iopl ioperm modules quotactl nfsservctl lookup_dcookie
    227, 237, 238, 239, 246, 248, 249, 250, 256, 272,  # clock_settime mbind mempolicy kexec keys migrate_pages unshare
    278, 279, 298, 300, 301, 303, 304, 305, 308, 310,  # vmsplice move_pages perf fanotify handles clock_adjtime setns vm_readv
    311, 312, 313, 320, 321, 323,                      # vm_writev kcmp finit_module kexec_file bpf userfaultfd
})  # fmt: skip
_DENIED_ARM = frozenset({
    18, 39, 40, 41, 42, 51, 58, 60, 75, 89, 92, 97, 104, 105, 106, 112, 116, 117, 142, 161, 162, 170, 171,
    217, 218, 219, 224, 225, 235, 236, 237, 238, 239, 241, 262, 263, 264, 265, 266, 268, 270, 271, 272, 273,
    280, 282, 294,
})  # fmt: skip
_DENIED_SHARED = frozenset({
    425, 426, 427, 428, 429, 430, 431, 432, 433, _CLONE3,  # io_uring, the new mount calls, clone3
    438, 440, 442, 443, 447, 450, 457, 458, 459, 460, 461,  # pidfd_getfd, madvise of others, mount_setattr, statmount, lsm
})  # fmt: skip

_LAST_OWN = 334 if _X86 else 294
_CLONE, _SOCKET, _IOCTL = (56, 41, 16) if _X86 else (220, 198, 29)
_AF_UNIX, _AF_INET, _AF_INET6, _AF_NETLINK = 1, 2, 10, 16
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C


def program() -> bytes:
    """The filter, ready for `syscalls.install_filter`."""
    deny = _result(_ERRNO | errno.EPERM)
    steps = [
        _load(_OFFSET_ARCHITECTURE),
        _jump(_JUMP_EQUAL, _ARCHITECTURE, 1, 0),
        _result(_KILL),
        _load(_OFFSET_NUMBER),
    ]
    if _X86:
        steps += [_jump(_JUMP_GREATER_EQUAL, _X32, 0, 1), deny]
    steps += [_jump(_JUMP_EQUAL, _CLONE3, 0, 1), _result(_ERRNO | errno.ENOSYS)]
    steps += _only_for(_CLONE, [_argument(0), _jump(_JUMP_SET, _NEW_NAMESPACES, 0, 1), deny, _result(_ALLOW)])
    steps += _only_for(_SOCKET, _sockets())
    steps += _only_for(
        _IOCTL,
        [_argument(1), _jump(_JUMP_EQUAL, _TIOCSTI, 1, 0), _jump(_JUMP_EQUAL, _TIOCLINUX, 0, 1), deny, _result(_ALLOW)],
    )
    for first, last in _allowed_ranges():
        steps += [_jump(_JUMP_GREATER_EQUAL, last + 1, 2, 0), _jump(_JUMP_GREATER_EQUAL, first, 0, 1), _result(_ALLOW)]
    steps += [_jump(_JUMP_GREATER_EQUAL, _LAST_SHARED + 1, 0, 1), _result(_ERRNO | errno.ENOSYS), deny]
    return b"".join(steps)


def _sockets() -> list[bytes]:
    """Unix and internet sockets, and of netlink the routing part that name look-ups use."""
    allow, refuse = _result(_ALLOW), _result(_ERRNO | errno.EAFNOSUPPORT)
    return [
        _argument(0),
        _jump(_JUMP_EQUAL, _AF_UNIX, 5, 0),
        _jump(_JUMP_EQUAL, _AF_INET, 4, 0),
        _jump(_JUMP_EQUAL, _AF_INET6, 3, 0),
        _jump(_JUMP_EQUAL, _AF_NETLINK, 0, 3),
        _argument(2),
        _jump(_JUMP_EQUAL, 0, 0, 1),
        allow,
        refuse,
    ]


def _allowed_ranges() -> list[tuple[int, int]]:
    denied = _DENIED_X86 if _X86 else _DENIED_ARM
    numbers = [number for number in range(_LAST_OWN + 1) if number not in denied]
    numbers += [number for number in range(_FIRST_SHARED, _LAST_SHARED + 1) if number not in _DENIED_SHARED]
    ranges: list[tuple[int, int]] = []
    for number in numbers:
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1] = (ranges[-1][0], number)
        else:
            ranges.append((number, number))
    return ranges


def _only_for(number: int, steps: list[bytes]) -> list[bytes]:
    """Steps for one system call; they end in a result on every way, so the number is still loaded for the others."""
    return [_jump(_JUMP_EQUAL, number, 0, len(steps)), *steps]


def _load(offset: int) -> bytes:
    return struct.pack("HBBI", _LOAD, 0, 0, offset)


def _argument(index: int) -> bytes:
    """Load the lower half of an argument."""
    return _load(_OFFSET_ARGUMENTS + 8 * index)


def _jump(kind: int, value: int, if_true: int, if_false: int) -> bytes:
    return struct.pack("HBBI", kind, if_true, if_false, value)


def _result(value: int) -> bytes:
    return struct.pack("HBBI", _RETURN, 0, 0, value)
