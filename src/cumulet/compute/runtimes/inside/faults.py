"""Error documents and log lines for what goes wrong in a function's code, in the form of Lambda's Python runtime."""

from __future__ import annotations

import json
import traceback
from types import TracebackType

from cumulet.compute.runtimes.inside.answers import ASCII_ONLY


class Fault(Exception):
    """Something wrong with a function that its own code did not raise."""

    def __init__(self, kind: str, message: str, frames: list[str] | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.frames = frames or []


def describe(error: BaseException, request_id: str) -> tuple[bytes, str]:
    """The error document, and the message for the log. Half a surrogate pair, which UTF-8 has no bytes for, is escaped."""
    if isinstance(error, Fault):
        kind, message, frames = error.kind, error.message, error.frames
    else:
        kind, message, frames = type(error).__name__, _text(error), stack(error.__traceback__)
    document = {"errorMessage": message, "errorType": kind, "requestId": request_id, "stackTrace": frames}
    lines = [f"[ERROR] {kind}: {message}", "Traceback (most recent call last):"]
    shown = [_indented(line) for frame in frames for line in frame.splitlines()]
    text = json.dumps(document, ensure_ascii=ASCII_ONLY)
    return text.encode(errors="backslashreplace"), "\n".join(lines + shown)


def _indented(line: str) -> str:
    """By spaces that no reader of logs takes away."""
    bare = line.lstrip(" ")
    return "\u00a0" * (len(line) - len(bare)) + bare


def stack(trace: TracebackType | None) -> list[str]:
    """The frames of the function's own code, outermost first: what the runtime itself called is left out."""
    while trace is not None and trace.tb_frame.f_globals.get("__package__") == __package__:
        trace = trace.tb_next
    return traceback.format_tb(trace)


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - a hostile __str__ is the function's own business
        return "<the exception's text could not be read>"
