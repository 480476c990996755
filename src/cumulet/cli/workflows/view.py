"""A run for a terminal: a line for each state that was left, and one at the bottom for what runs now."""

import json
import sys
import time
from typing import Any

import click

from cumulet.cli.output import say
from cumulet.cli.workflows.history import Run, Visit

_MARKS = {
    "SUCCEEDED": ("✓", "green"),
    "CAUGHT": ("!", "yellow"),
    "FAILED": ("✗", "red"),
    "ABORTED": ("-", "bright_black"),
    "RUNNING": ("…", "blue"),
}
_TURNING = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_WIDTH = 28
_SHOWN = 3


class View:
    """Prints what is new in a run, to stderr. `data`: with the input and output of each state."""

    def __init__(self, *, data: bool) -> None:
        self._data = data
        self._live = sys.stderr.isatty()
        self._drawn = False
        self._turn = 0

    def update(self, run: Run) -> None:
        """Show what has changed since the last time."""
        self._wipe()
        for change, visit in run.news:
            if change == "failed" and visit.status == "RUNNING":
                self._failure(visit)
            elif change == "left":
                self._left(visit)
        run.news.clear()
        if self._live and run.status == "RUNNING":
            self._running(run)

    def _left(self, visit: Visit) -> None:
        mark, colour = _MARKS[visit.status]
        words = [duration(visit.seconds).rjust(9)]
        if visit.attempts > 1:
            words.append(f"{visit.attempts} attempts")
        if visit.error and visit.status != "SUCCEEDED":
            words.append(problem(visit.error, visit.cause))
        say(f"{click.style(mark, fg=colour)} {_name(visit).ljust(_WIDTH)} {'  '.join(words)}")
        if self._data:
            for title, text in (("in ", visit.input), ("out", visit.output)):
                if text is not None:
                    say(click.style(f"    {title} {text}", dim=True))

    def _failure(self, visit: Visit) -> None:
        mark = click.style("↻", fg="yellow")
        say(f"{mark} {_name(visit).ljust(_WIDTH)} attempt {visit.attempts}: {problem(visit.error, visit.cause)}")

    def _running(self, run: Run) -> None:
        inner = [visit for visit in run.visits.values() if visit.left is None]
        names = ", ".join(dict.fromkeys(_name(visit) for visit in inner[-_SHOWN:]))
        more = f" and {len(inner) - _SHOWN} more" if len(inner) > _SHOWN else ""
        self._turn += 1
        text = f"{_TURNING[self._turn % len(_TURNING)]} {names}{more}"
        sys.stderr.write(f"\r{text[:78]}")
        sys.stderr.flush()
        self._drawn = True

    def _wipe(self) -> None:
        if self._drawn:
            sys.stderr.write("\r\x1b[2K")
            sys.stderr.flush()
            self._drawn = False


def _name(visit: Visit) -> str:
    return visit.state if visit.iteration is None else f"{visit.state} #{visit.iteration}"


def duration(seconds: float) -> str:
    """As a person reads it."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 120:
        return f"{seconds:.1f} s"
    return time.strftime("%H:%M:%S", time.gmtime(seconds)) if seconds < 86_400 else f"{seconds / 86_400:.1f} d"


def problem(error: str, cause: str) -> str:
    """An error on one line; functions put JSON into causes."""
    try:
        value = json.loads(cause)
        cause = str(value.get("errorMessage", cause)) if isinstance(value, dict) else cause
    except ValueError:
        pass
    cause = " ".join(cause.split())
    text = f"{error}: {cause}" if cause and error else error or cause
    return text if len(text) <= 160 else text[:159] + "…"


def as_json(execution: str, run: Run) -> dict[str, Any]:
    """A run as one JSON object."""
    return {
        "executionArn": execution,
        "status": run.status,
        "output": _value(run.output),
        "error": run.error or None,
        "cause": run.cause or None,
        "states": [
            {
                "name": visit.state,
                "type": visit.type,
                "iteration": visit.iteration,
                "status": visit.status,
                "seconds": round(visit.seconds, 6),
                "attempts": visit.attempts,
                "error": visit.error or None,
                "cause": visit.cause or None,
                "input": _value(visit.input),
                "output": _value(visit.output),
            }
            for visit in run.visits.values()
        ],
    }


def _value(text: str | None) -> Any:
    try:
        return None if text is None else json.loads(text)
    except ValueError:
        return text
