"""Evaluation in processes of their own (``child.py``), which may use so much memory and time and no more.

The library evaluates in this process's memory, and an allocation that fails there would end the node. Expressions that
could double what they hold with every step are therefore evaluated there: some 0.2 ms slower. Who asks waits for the answer.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import struct
import subprocess
import sys
import threading
from pathlib import Path
from time import monotonic
from typing import Any

from cumulet.expressions.jsonata.library import JsonataError, TooLong, TooMuch

_MEMORY = 256 * 1024 * 1024
_MILLIS = 1_000  # for one evaluation
_GRACE = 0.5  # seconds more for a library that looks at its clock seldom
_KEPT = 2
_START = 30.0
"""Seconds in which a child has to be ready: on a busy machine it takes as long as an evaluation may."""


class Bounded:
    """Children, started when they are needed, as many as there are threads that ask; a few are kept."""

    def __init__(self) -> None:
        self._idle: list[_Child] = []
        self._lock = threading.Lock()

    def run(self, text: str, names: tuple[str, ...], document: str, seed: int, millis: int) -> str | None:
        """The result as JSON, None for undefined; raises JsonataError."""
        request = {
            "text": text,
            "names": names,
            "document": document,
            "seed": seed,
            "millis": millis,
            "timeout": _MILLIS,
        }
        body = json.dumps(request).encode()
        with self._lock:
            child = self._idle.pop() if self._idle else None
        child = child or _Child()
        try:
            answer = child.exchange(struct.pack(">I", len(body)) + body)
        except BaseException:
            child.close()
            raise
        self._keep(child, answer["last"])
        if "message" in answer:
            raise JsonataError(answer["code"], answer["message"])
        found: str | None = answer["result"]
        return found

    def _keep(self, child: _Child, last: bool) -> None:
        with self._lock:
            if not last and len(self._idle) < _KEPT:
                self._idle.append(child)
                return
        child.close()

    def close(self) -> None:
        """End the children that nobody uses."""
        with self._lock:
            idle, self._idle = self._idle, []
        for child in idle:
            child.close()


class _Child:
    """A process that evaluates one expression after the other."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(  # noqa: S603  # our own script, nothing of a caller's in its arguments
            [sys.executable, "-s", "-P", str(Path(__file__).with_name("child.py")), str(_MEMORY)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"LANG": "C.UTF-8"},
        )
        assert self._process.stdout is not None
        try:
            _exactly(self._process.stdout.fileno(), 1, monotonic() + _START)
        except OSError:
            self.close()
            raise TooLong from None

    def exchange(self, body: bytes) -> dict[str, Any]:
        """The answer to a request. Raises TooLong, TooMuch: the child is of no use then."""
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        deadline = monotonic() + _MILLIS / 1000 + _GRACE
        try:
            process.stdin.write(body)
            process.stdin.flush()
            (length,) = struct.unpack(">I", _exactly(process.stdout.fileno(), 4, deadline))
            answer: dict[str, Any] = json.loads(_exactly(process.stdout.fileno(), length, deadline))
        except TimeoutError:
            raise TooLong from None
        except OSError:  # it ended: an allocation failed
            raise TooMuch from None
        return answer

    def close(self) -> None:
        """End it."""
        process = self._process
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


def _exactly(descriptor: int, length: int, deadline: float) -> bytes:
    parts = bytearray()
    while len(parts) < length:
        left = deadline - monotonic()
        if left <= 0 or not select.select([descriptor], [], [], left)[0]:
            raise TimeoutError
        part = os.read(descriptor, min(1 << 20, length - len(parts)))
        if not part:
            raise OSError("the child ended")
        parts += part
    return bytes(parts)


bounded = Bounded()
