"""A process that evaluates expressions whose memory cannot be told beforehand: what they take too much of, is its own.

Run as a script; reads requests and writes answers, JSON texts with their length (4 bytes) in front.
"""

from __future__ import annotations

import json
import random
import resource
import struct
import sys
from pathlib import Path
from typing import Any

_KEPT = 96 * 1024 * 1024
"""Bytes in memory of a process that goes on."""


def _seeded(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311  # JSONata's $random and $uuid, as the engine drew the seed


def _pages(column: int) -> int:
    """The bytes that this process has mapped (0), or that are in memory (1)."""
    return int(Path("/proc/self/statm").read_text().split()[column]) * resource.getpagesize()


def main() -> None:
    """Answer until the pipe is closed."""
    memory = int(sys.argv[1])
    sys.path.insert(0, str(Path(__file__).parent))
    import library  # type: ignore[import-not-found]  # noqa: PLC0415  # beside this file, a script

    # What the interpreter has mapped by now does not count.
    mapped = _pages(0)
    resource.setrlimit(resource.RLIMIT_AS, (mapped + memory, mapped + memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.stdout.buffer.write(b".")
    sys.stdout.buffer.flush()
    while head := sys.stdin.buffer.read(4):
        request = json.loads(sys.stdin.buffer.read(struct.unpack(">I", head)[0]))
        try:
            program = library.program(request["text"], tuple(request["names"]))
            found = program.run(request["document"], _seeded(request["seed"]), request["millis"], request["timeout"])
            answer: dict[str, Any] = {"result": found}
        except library.JsonataError as failed:
            answer = {"code": failed.code, "message": failed.message}
        except MemoryError:
            answer = {"code": "", "message": library.TooMuch().message}
        # What it has taken it may keep for ever: another one takes its place.
        answer["last"] = last = _pages(1) > _KEPT
        text = json.dumps(answer).encode()
        sys.stdout.buffer.write(struct.pack(">I", len(text)) + text)
        sys.stdout.buffer.flush()
        if last:
            return


if __name__ == "__main__":
    main()
