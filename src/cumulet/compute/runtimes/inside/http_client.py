"""A client of the HTTP Runtime API: one connection, blocking, made for one worker.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import json
import os
import socket
from typing import Any

_CHUNK = 1 << 16
_VERSION = "/2018-06-01/runtime"


class Client:
    """`worker` is told with each request for an event, so that the platform knows who has it."""

    def __init__(self, address: str, worker: int) -> None:
        host, _, port = address.rpartition(":")
        self._host = address
        self._worker = worker
        self._socket = socket.create_connection((host, int(port)))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._rest = b""

    def next(self) -> tuple[dict[str, Any], bytes]:
        """The next invocation, as a header of the frames' form, and its event. Ends the process when the platform is gone."""
        headers, event = self._ask("GET", "/invocation/next", b"", f"Cumulet-Worker: {self._worker}\r\n")
        given = {name[15:]: value for name, value in headers.items() if name.startswith("lambda-runtime-")}
        return {
            "request_id": given["aws-request-id"],
            "deadline_ms": int(given["deadline-ms"]),
            "function_arn": given["invoked-function-arn"],
            "client_context": json.loads(given.get("client-context", "null")),
            "identity": json.loads(given.get("cognito-identity", "null")),
            "trace": given.get("trace-id", ""),
            "environment": {},
            "tenant_id": given.get("aws-tenant-id", ""),
        }, event

    def answer(self, request_id: str, kind: str, document: bytes) -> None:
        """`kind` is response or error. Whatever the platform says to it, the next event may be asked for."""
        self._ask("POST", f"/invocation/{request_id}/{kind}", document)

    def fail_to_load(self, document: bytes) -> None:
        self._ask("POST", "/init/error", document)

    def _ask(self, method: str, path: str, body: bytes, extra: str = "") -> tuple[dict[str, str], bytes]:
        head = f"{method} {_VERSION}{path} HTTP/1.1\r\nHost: {self._host}\r\nContent-Length: {len(body)}\r\n{extra}"
        self._socket.sendall(f"{head}Content-Type: application/json\r\n\r\n".encode() + body)
        data = self._rest
        while b"\r\n\r\n" not in data:
            data += self._receive()
        lines, _, data = data.partition(b"\r\n\r\n")
        pairs = (line.partition(": ") for line in lines.decode("utf-8", "replace").split("\r\n")[1:])
        headers = {name.lower(): value for name, _, value in pairs}
        length = int(headers["content-length"])
        whole = bytearray(data)
        while len(whole) < length:
            whole += self._receive()
        self._rest = bytes(whole[length:])
        return headers, bytes(whole[:length])

    def _receive(self) -> bytes:
        received = self._socket.recv(_CHUNK)
        if not received:
            os._exit(0)
        return received
