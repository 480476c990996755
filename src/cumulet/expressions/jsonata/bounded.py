"""Evaluation in processes of their own (``child.py``), which may use so much memory and time and no more.

The library evaluates in this process's memory, and an allocation that fails there would end the node. Expressions that
could double what they hold with every step are therefore evaluated there: some 0.2 ms slower. Who asks waits for the answer.

What counts is the processor's time, which a busy machine does not change; the clock on the wall only ends what hangs.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import math
import os
import select
import struct
import subprocess
import sys
import threading
from pathlib import Path
from time import clock_gettime, monotonic
from typing import Any

from cumulet.expressions.jsonata.library import JsonataError, TooLong, TooMuch

_MEMORY = 256 * 1024 * 1024
_SECONDS = 1.0
"""Of the processor, for one evaluation."""
_PATIENCE = 30.0
"""Seconds in which a child answers, however little of the processor it is given."""
_KEPT = 2
_START = 30.0
"""Seconds in which a child has to be ready: on a busy machine it takes as long as an evaluation may."""


class Bounded:
    """Children, started when they are needed, as many as there are threads that ask; a few are kept."""

    def __init__(self) -> None:
        self._idle: list[_Child] = []
        self._lock = threading.Lock()

    def run(self, text: str, names: tuple[str, ...], document: str, seed: int, millis: int) -> tuple[str | None, float]:
        """The result as JSON, None for undefined, and the seconds of the processor it took; raises JsonataError."""
        request = {
            "text": text,
            "names": names,
            "document": document,
            "seed": seed,
            "millis": millis,
            "timeout": int(_PATIENCE * 1000),
        }
        body = json.dumps(request).encode()
        with self._lock:
            child = self._idle.pop() if self._idle else None
        child = child or _Child()
        try:
            answer, seconds = child.exchange(struct.pack(">I", len(body)) + body)
        except BaseException:
            child.close()
            raise
        self._keep(child, answer["last"])
        if "message" in answer:
            raise JsonataError(answer["code"], answer["message"])
        found: str | None = answer["result"]
        return found, seconds

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
            self._exactly(1, monotonic() + _START)
        except OSError:
            self.close()
            raise TooLong from None

    def exchange(self, body: bytes) -> tuple[dict[str, Any], float]:
        """The answer to a request, and the seconds of the processor it took. Raises TooLong, TooMuch: the child is of no use then."""
        process = self._process
        assert process.stdin is not None
        deadline = monotonic() + _PATIENCE
        try:
            began = self._used()
            process.stdin.write(body)
            process.stdin.flush()
            (length,) = struct.unpack(">I", self._exactly(4, deadline, began + _SECONDS))
            answer: dict[str, Any] = json.loads(self._exactly(length, deadline, began + _SECONDS))
            return answer, self._used() - began
        except TimeoutError:
            raise TooLong from None
        except OSError:  # it ended: an allocation failed
            raise TooMuch from None

    def _used(self) -> float:
        """Seconds of the processor that the child has had. Raises OSError if it is no more."""
        return clock_gettime((~self._process.pid << 3) | 2)  # a process's clock, as clock_getcpuclockid(3) makes it

    def _exactly(self, length: int, deadline: float, most: float = math.inf) -> bytes:
        """So many bytes of what the child says. Raises TimeoutError at the deadline, and when the child has used `most` seconds."""
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        said = select.poll()  # a node has more descriptors than select(2) can wait for
        said.register(descriptor, select.POLLIN)
        parts = bytearray()
        while len(parts) < length:
            left = min(deadline - monotonic(), most - self._used() if most < math.inf else math.inf)
            if left <= 0:
                raise TimeoutError
            # It uses no more of the processor than there is of time.
            if not said.poll(max(10.0, left * 1000)):
                continue
            part = os.read(descriptor, min(1 << 20, length - len(parts)))
            if not part:
                raise OSError("the child ended")
            parts += part
        return bytes(parts)

    def close(self) -> None:
        """End it."""
        process = self._process
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


bounded = Bounded()
atexit.register(bounded.close)
