"""Evaluation in a process of its own (``child.py``), which may use so much memory and time and no more.

The library evaluates in this process's memory, and an allocation that fails there would end the node. Expressions that
could double what they hold with every step are therefore evaluated here: some 0.2 ms slower.
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

from cumulet.expressions.jsonata.library import TOO_LONG, TOO_MUCH, JsonataError

_MEMORY = 256 * 1024 * 1024
_MILLIS = 1_000  # for one evaluation
_GRACE = 0.5  # seconds more for a library that looks at its clock seldom


class Bounded:
    """One child, started when it is first needed, again after it was ended; one evaluation at a time."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None
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
            answer = self._exchange(struct.pack(">I", len(body)) + body)
        if "message" in answer:
            raise JsonataError(answer["code"], answer["message"])
        found: str | None = answer["result"]
        return found

    def _exchange(self, body: bytes) -> dict[str, Any]:
        child = self._child
        if child is None or child.poll() is not None:
            child = self._child = self._start()
        assert child.stdin is not None
        assert child.stdout is not None
        deadline = monotonic() + _MILLIS / 1000 + _GRACE
        try:
            child.stdin.write(body)
            child.stdin.flush()
            (length,) = struct.unpack(">I", _exactly(child.stdout.fileno(), 4, deadline))
            answer: dict[str, Any] = json.loads(_exactly(child.stdout.fileno(), length, deadline))
        except TimeoutError:
            self.close()
            raise TOO_LONG from None
        except OSError:  # it ended: an allocation failed
            self.close()
            raise TOO_MUCH from None
        return answer

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603  # our own script, nothing of a caller's in its arguments
            [sys.executable, "-s", "-P", str(Path(__file__).with_name("child.py")), str(_MEMORY)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"LANG": "C.UTF-8"},
        )

    def close(self) -> None:
        """End the child, if there is one."""
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            child.wait()
            for pipe in (child.stdin, child.stdout):
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
