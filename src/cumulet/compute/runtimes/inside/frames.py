"""Frames on the channel between the platform and a built-in runtime: one byte of kind, two lengths, header, payload."""

from __future__ import annotations

import json
import select
import socket
import struct
from typing import Any

HEAD = struct.Struct(">BII")
INVOKE, READY, INIT_ERROR, RESPONSE, ERROR, NOT_STARTED, LAST_ERROR = range(1, 8)
"""NOT_STARTED: there is no program to run, or it could not be; LAST_ERROR: an ERROR after which the runtime ends."""
BEGIN, PART, FAULT = range(8, 11)
"""Of a response that is written in parts: BEGIN has its content type; after the PARTs comes RESPONSE, which is empty then, or
ERROR, before which FAULT may name the type of the error."""
RESTORE, RESTORED, RESTORE_ERROR = range(20, 23)
"""Of an environment that waits after READY as a snapshot would: the platform's RESTORE has variables, and is answered."""
WORKER_ENDED = 11
"""One of several processes or threads that serve invocations is gone; the payload says which (`worker`) and how."""
_CHUNK = 1 << 16

parse = json.JSONDecoder().raw_decode
"""The value that a text of JSON begins with, and where it ends. `json.loads` looks for space around it with regular
expressions, which is half of what a short text costs."""


class Frames:
    """The runtime's end; blocking."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._rest = b""
        # Who waits in `recv` is also woken when the platform has read what was sent, for nothing: that costs as much as all
        # that this process does for a short invocation. `poll` is woken by data alone.
        poll = select.poll()
        poll.register(channel, select.POLLIN)
        self._wait = poll.poll

    def receive(self) -> tuple[dict[str, Any], bytes | bytearray] | None:
        """The next invocation's header and event; None when the platform is gone."""
        data = self._rest
        if not data:
            self._wait()
            data = self._channel.recv(_CHUNK)
        while len(data) < HEAD.size:
            more = self._channel.recv(_CHUNK)
            if not more:
                return None
            data += more
        _, header_length, payload_length = HEAD.unpack_from(data)
        start = HEAD.size + header_length
        end = start + payload_length
        if len(data) < end:
            self._rest = b""
            whole = self._fill(data, end)
            header, _ = parse(whole[HEAD.size : start].decode())
            del whole[:start]  # which copies nothing
            return header, whole
        self._rest = data[end:]
        header, _ = parse(data[HEAD.size : start].decode())
        return header, data[start:end]

    def _fill(self, data: bytes, length: int) -> bytearray:
        whole = bytearray(length)
        whole[: len(data)] = data
        view, filled = memoryview(whole), len(data)
        while filled < length:
            count = self._channel.recv_into(view[filled:])
            if not count:
                raise EOFError("the platform closed the channel within a frame")
            filled += count
        view.release()
        return whole

    def send(self, kind: int, payload: bytes) -> None:
        self._channel.sendall(HEAD.pack(kind, 0, len(payload)) + payload)
