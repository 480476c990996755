"""A function that has been initialised ahead of its events: it waits as a snapshot would, and is restored once."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

from cumulet.compute.runtimes.inside import faults, frames, logs

_HOOKS = "snapshot_restore_py"
TYPE = "snap-start"


def wait(channel: frames.Frames, output: logs.Output, reseed: Callable[[], None]) -> bool:
    """Run the function's hooks around a wait for its restoration; False when no event may come.

    The platform hears READY before and RESTORED after, or INIT_ERROR and RESTORE_ERROR with a document.
    """
    hooks = sys.modules.get(_HOOKS)
    before = [] if hooks is None else hooks.get_before_snapshot()
    try:
        while before:
            _call(before.pop())
    except Exception as error:  # noqa: BLE001 - whatever a hook raises is the function's answer
        return _failed(error, frames.INIT_ERROR, channel, output)
    output.flush()
    channel.send(frames.READY, b"")
    received = channel.receive()
    if received is None:
        return False
    os.environ.update(received[0]["environment"])
    reseed()
    try:
        for hook in () if hooks is None else hooks.get_after_restore():
            _call(hook)
    except Exception as error:  # noqa: BLE001 - as before
        return _failed(error, frames.RESTORE_ERROR, channel, output)
    output.flush()
    channel.send(frames.RESTORED, b"")
    return True


def _call(hook: Any) -> None:
    function, arguments, named = hook
    function(*arguments, **named)


def _failed(error: BaseException, kind: int, channel: frames.Frames, output: logs.Output) -> bool:
    document, message = faults.describe(error, "")
    output.fault(document, message)
    output.flush()
    channel.send(kind, document)
    return False
