"""Compressed files, unpacked while they come: in small pieces, in bounded memory, whatever a file says of itself."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterator
from typing import Protocol

PIECE = 262_144
"""Bytes that are unpacked at once, at most."""
_WINDOW_LOG = 23
"""Frames of zstd need 8 MB of memory at most: what RFC 8878 (section 3.1.1.1.2) wants every reader to have."""
_MOST_TIMES = 1_100
"""A file becomes at most so many times as large, once it is larger than `_SMALL`: gzip reaches 1,032, zstd 30,000."""
_SMALL = 64 * 1024 * 1024


class Malformed(Exception):
    """A file that cannot be read on; the message says why."""


class _Part(Protocol):
    """A gzip member or a zstd frame. A file may be made of several, one after another."""

    @property
    def eof(self) -> bool: ...

    @property
    def pending(self) -> bool:
        """Whether more can be unpacked of what `unpack` was given."""

    @property
    def rest(self) -> bytes:
        """What `unpack` has not used of what it was given."""

    def unpack(self, data: bytes) -> bytes:
        """At most `PIECE` bytes. Raises Malformed."""


class Unpacker:
    """Unpacks one file. `compression` is GZIP or ZSTD."""

    def __init__(self, compression: str) -> None:
        self._kind = compression.lower()
        self._new: Callable[[], _Part] = _Gzip if compression == "GZIP" else _Zstd
        self._part: _Part = self._new()
        self._read = self._made = 0

    def feed(self, content: bytes) -> Iterator[bytes]:
        """What the next bytes of the file unpack to. Raises Malformed."""
        self._read += len(content)
        waiting = content
        while waiting or self._part.pending:
            if self._part.eof:
                self._part = self._new()
            made = self._part.unpack(waiting)
            waiting = self._part.rest
            self._made += len(made)
            if self._made > max(_SMALL, self._read * _MOST_TIMES):
                raise Malformed(f"the file unpacks to more than {_MOST_TIMES} times its size")
            yield made

    def end(self) -> None:
        """The file is over. Raises Malformed when something of it is missing."""
        if not self._part.eof:
            raise Malformed(f"the file is no whole {self._kind} file")


class _Gzip:
    pending = False  # what is left to unpack is in `rest`

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(31)

    @property
    def eof(self) -> bool:
        return self._inflate.eof

    @property
    def rest(self) -> bytes:
        return self._inflate.unconsumed_tail or self._inflate.unused_data

    def unpack(self, data: bytes) -> bytes:
        try:
            return self._inflate.decompress(data, PIECE)
        except zlib.error as error:
            raise Malformed(f"the file is no gzip file: {error}") from error


class _Zstd:
    def __init__(self) -> None:
        if sys.version_info >= (3, 14):  # imported here, as few files are compressed so
            from compression import zstd  # noqa: PLC0415
        else:
            from backports import zstd  # noqa: PLC0415
        self._inflate = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: _WINDOW_LOG})
        self._error = zstd.ZstdError

    @property
    def eof(self) -> bool:
        return self._inflate.eof

    @property
    def pending(self) -> bool:
        return not (self._inflate.needs_input or self._inflate.eof)

    @property
    def rest(self) -> bytes:
        return self._inflate.unused_data

    def unpack(self, data: bytes) -> bytes:
        try:
            return self._inflate.decompress(data, PIECE)
        except self._error as error:
            raise Malformed(
                f"the file is no zstd file whose frames need windows of at most {1 << _WINDOW_LOG} bytes: {error}"
            ) from error
