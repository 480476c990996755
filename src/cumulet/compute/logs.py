"""What functions write, read from their pipe without ever blocking, cut into lines."""

import os
from collections import deque
from collections.abc import Callable

_CHUNK = 1 << 16
_MAX_DRAIN = 64
_MAX_LINES = 2048
"""Of one read: more are told several at a time."""
_MAX_DRAINED_LINES = 8192
_MAX_LINE = 1 << 18
_KEPT = 1 << 18
_JOINED, _NEWLINE = b"\x1e", b"\n"


class LogPipe:
    """The reading end of one environment's log. Gives each line to `on_line`, and keeps the last 256 KB for `take`."""

    def __init__(self, descriptor: int, on_line: Callable[[bytes], None], kept: int = _KEPT) -> None:
        """`kept`: bytes for `take`, at least."""
        self.descriptor = descriptor
        self._on_line = on_line
        self._keep = kept
        self._partial = b""
        self._kept: deque[bytes] = deque()
        self._lines = 0
        self._size = 0
        self.ended = False

    def read(self) -> bool:
        """Read once; False when nothing was there."""
        if self.descriptor < 0:  # closed: the number may be another's by now
            return False
        try:
            data = os.read(self.descriptor, _CHUNK)
        except BlockingIOError:
            return False
        if not data:
            self.ended = True
            return False
        self._feed(data)
        return True

    def drain(self) -> None:
        """Read what is there now, up to 4 MB or some thousand lines: a function that never stops writing must not hold the
        loop."""
        enough = self._lines + _MAX_DRAINED_LINES
        for _ in range(_MAX_DRAIN):
            if not self.read() or self._lines >= enough:
                return

    def take(self) -> bytes:
        """What was written since the last call, a line that is not ended included."""
        if self._partial:
            self._line(self._partial)
            self._partial = b""
        if not self._kept:
            return b""
        text = b"".join(self._kept)[-_KEPT:]
        self._kept.clear()
        self._size = 0
        return text

    def close(self) -> None:
        """Nothing is read any more; what was, can be taken."""
        os.close(self.descriptor)
        self.descriptor = -1

    def _feed(self, data: bytes) -> None:
        lines = (self._partial + data).split(_NEWLINE)
        self._partial = lines.pop()
        if len(lines) > _MAX_LINES:  # a flood of next to nothing: each line costs the loop as much as a long one
            many = -(-len(lines) // _MAX_LINES)
            lines = [_NEWLINE.join(lines[at : at + many]) for at in range(0, len(lines), many)]
        for line in lines:
            self._line(line)
        if len(self._partial) > _MAX_LINE:
            self._line(self._partial)
            self._partial = b""

    def _line(self, line: bytes) -> None:
        self._lines += 1
        line = line.replace(_JOINED, _NEWLINE)
        self._on_line(line)
        self._kept.append(line + _NEWLINE)
        self._size += len(line) + 1
        while self._size > 2 * self._keep:
            self._size -= len(self._kept.popleft())
