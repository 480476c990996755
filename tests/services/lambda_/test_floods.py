"""Functions that take as much of the node as they can get: what one can take is bounded."""

import json
from collections.abc import Callable
from typing import Any

_CONNECTIONS = """
import socket

def handler(event, context):
    held = []
    for _ in range(event):
        one = socket.create_connection(("127.0.0.1", 4566), timeout=50)
        one.sendall(b"GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n")
        held.append(one)
    return [one.recv(12).decode() for one in held].count("HTTP/1.1 503")
"""


def test_connections_to_the_endpoint(functions: Any, make: Callable[..., Any]) -> None:
    make("f", _CONNECTIONS, Timeout=60)
    functions.get_waiter("function_active_v2").wait(FunctionName="f")
    refused = json.loads(functions.invoke(FunctionName="f", Payload=b"300")["Payload"].read())
    assert refused == 44
