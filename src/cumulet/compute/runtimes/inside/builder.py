"""Makes an image inside of a sandbox: copies files of its context, and runs commands, as the sandbox's own user.

What it works with is a stranger's: nothing here may be trusted by the platform, but how it ended.
"""
# ruff: noqa: PTH101, PTH103, PTH108, PTH112, PTH114, PTH116, PTH118, PTH119, PTH120, PTH207, PTH208, PTH211  paths are texts here, as Dockerfiles have them: a slash at the end means something

from __future__ import annotations

import contextlib
import glob
import importlib
import os
import shutil
import socket
import stat
import tarfile
from typing import Any

from cumulet.compute.runtimes.inside import command
from cumulet.compute.sandbox import messages

_CONTEXT = "/var/task"
_FAILED = 1
_LATER = ("bz2", "encodings.idna", "grp", "gzip", "lzma", "pwd", "zlib")
"""What `tarfile` and `shutil` load when they need it."""


class _Refused(Exception):
    """A step that cannot be done; the message says why."""


def warm(config: messages.Message) -> None:
    """Load what is needed later: the machine's files are not there then."""
    del config
    for module in _LATER:
        with contextlib.suppress(ImportError):
            importlib.import_module(module)


def run(orders: socket.socket, channel: socket.socket, start: messages.Message) -> None:
    """Take the assignment (`steps`, `environment`) and do its steps in their order. Each is `copy`, `make` or `run`. A step's
    `environment` and `ignored` hold for those after it, too."""
    del channel, start
    command.restore_signals()
    messages.send(orders, {})
    assignment, _ = messages.receive(orders)
    if assignment is None:
        return
    steps, environment = assignment["steps"], assignment["environment"]
    ignored: list[str] = []
    for number, step in enumerate(steps, 1):
        _say(f"Step {number}/{len(steps)} : {step['text']}")
        environment = environment | step.get("environment", {})
        step["ignored"] = ignored = ignored + step.get("ignored", [])
        try:
            _STEPS[step["kind"]](step, environment)
        except (_Refused, OSError, ValueError, tarfile.TarError, shutil.Error) as error:
            _say(f"ERROR: {error}")
            os._exit(_FAILED)
    os._exit(0)


def _say(text: str) -> None:
    os.write(1, text.encode(errors="replace")[:4000] + b"\n")


def _make(step: dict[str, Any], _: dict[str, str]) -> None:
    os.makedirs(step["folder"], exist_ok=True)


def _run(step: dict[str, Any], environment: dict[str, str]) -> None:
    os.makedirs(step["folder"], exist_ok=True)
    pid = os.fork()
    if pid == 0:
        try:
            os.chdir(step["folder"])
            argv = step["argv"]
            os.execvpe(argv[0], argv, environment)  # noqa: S606 - its command says whether it wants a shell
        except OSError as error:
            _say(f"{step['argv'][0]}: {error.strerror}")
        except ValueError as error:
            _say(f"{step['argv'][0]}: {error}")
        finally:
            os._exit(127)
    _, status = os.waitpid(pid, 0)
    if status:
        code = os.waitstatus_to_exitcode(status)
        raise _Refused(f"the command returned a non-zero code: {code}")


def _copy(step: dict[str, Any], _: dict[str, str]) -> None:
    """COPY and ADD: as Docker has it, of a folder its content is copied, and several files need a folder to go to."""
    target = step["to"]
    sources: list[str] = []
    for pattern in step["from"]:
        found = sorted(glob.glob(_in_context(pattern))) if glob.has_magic(pattern) else [_in_context(pattern)]
        found = [path for path in found if os.path.lexists(path) and not _ignored(path, step["ignored"])]
        if not found:
            raise _Refused(f"{step['word']} failed: {pattern} is not in the package")
        sources += found
    if len(sources) > 1 and not target.endswith("/"):
        raise _Refused(
            f"When using {step['word']} with more than one source file, the destination must be a directory and end with a /"
        )
    for source in sources:
        if os.path.isdir(source):
            os.makedirs(target, exist_ok=True)
            _tree(source, target, step["ignored"])
        elif step["unpack"] and tarfile.is_tarfile(source):
            os.makedirs(target, exist_ok=True)
            with tarfile.open(source) as archive:
                archive.extractall(target, filter="tar")
        else:
            into = (
                os.path.join(target, os.path.basename(source))
                if target.endswith("/") or os.path.isdir(target)
                else target
            )
            os.makedirs(os.path.dirname(into), exist_ok=True)
            _file(source, into)


def _in_context(path: str) -> str:
    inside = os.path.normpath("/" + path)
    return _CONTEXT + ("" if inside == "/" else inside)


def _ignored(path: str, ignored: list[str]) -> bool:
    relative = path[len(_CONTEXT) + 1 :]
    return any(relative == one or relative.startswith(one + "/") for one in ignored)


def _tree(source: str, target: str, ignored: list[str]) -> None:
    for name in sorted(os.listdir(source)):
        path, into = os.path.join(source, name), os.path.join(target, name)
        if _ignored(path, ignored):
            continue
        if os.path.isdir(path) and not os.path.islink(path):
            os.makedirs(into, exist_ok=True)
            _tree(path, into, ignored)
        else:
            _file(path, into)


def _file(source: str, into: str) -> None:
    if os.path.lexists(into) and (os.path.islink(into) or not os.path.isdir(into)):
        os.unlink(into)
    if os.path.islink(source):
        os.symlink(os.readlink(source), into)
        return
    shutil.copyfile(source, into)
    os.chmod(into, stat.S_IMODE(os.stat(source).st_mode) | 0o644)


_STEPS = {"copy": _copy, "make": _make, "run": _run}
