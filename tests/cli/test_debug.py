"""`cumulet debug`: a breakpoint in a function, reached by a debugger's own protocol."""

import base64
import http.client
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest

CLEAN = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CUMULET_"))}
PYTHON = "import time\n\ndef handler(event, context):\n    answer = event['n'] * 2\n    return {'answer': answer}\n"
NODE = "exports.handler = async (event) => ({ answer: event.n * 2 });\n"


class Dap:
    """The few words of the Debug Adapter Protocol that a breakpoint takes."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._reader = self._socket.makefile("rb")
        self._number = 0

    def close(self) -> None:
        self._reader.close()
        self._socket.close()

    def send(self, command: str, **arguments: Any) -> int:
        self._number += 1
        body = json.dumps({"seq": self._number, "type": "request", "command": command, "arguments": arguments}).encode()
        self._socket.sendall(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        return self._number

    def until(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        while True:
            length = 0
            while line := self._reader.readline().strip():
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            assert length, "the debugger's end is gone"
            message: dict[str, Any] = json.loads(self._reader.read(length))
            if wanted(message):
                return message

    def ask(self, command: str, **arguments: Any) -> Any:
        number = self.send(command, **arguments)
        answer = self.until(lambda message: message.get("request_seq") == number)
        assert answer["success"], answer
        return answer.get("body")

    def event(self, name: str) -> Any:
        return self.until(lambda message: message.get("event") == name).get("body")


def zipped(name: str, source: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(name, source)
    return out.getvalue()


@pytest.fixture
def debug(node: Any, account: str) -> Iterator[Callable[..., dict[str, Any]]]:
    """Starts the command for a function; gives the launch configuration it printed."""
    started: list[subprocess.Popen[str]] = []

    def start(name: str) -> dict[str, Any]:
        command = [sys.executable, "-m", "cumulet", "debug", name, "--port", "0", "--json", "--account", account]
        process = subprocess.Popen(
            command, stdout=-1, stderr=subprocess.DEVNULL, text=True, env=CLEAN | {"CUMULET_DATA": str(node.data)}
        )
        started.append(process)
        assert process.stdout is not None
        text = ""
        while not text.endswith("\n}\n"):
            line = process.stdout.readline()
            assert line, "it printed nothing"
            text += line
        return dict(json.loads(text))

    yield start
    for process in started:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)


def invoked(functions: Any, name: str) -> tuple[threading.Thread, list[Any]]:
    """An invocation under way, and where its result will be."""
    results: list[Any] = []

    def run() -> None:
        results.append(json.loads(functions.invoke(FunctionName=name, Payload=b'{"n": 21}')["Payload"].read()))

    thread = threading.Thread(target=run)
    thread.start()
    return thread, results


def test_a_breakpoint_in_python(debug: Any, client: Any, account: str) -> None:
    functions = client("lambda")
    role = f"arn:aws:iam::{account}:role/functions"
    functions.create_function(
        FunctionName="slow",
        Runtime="python3.11",
        Handler="index.handler",
        Role=role,
        Timeout=1,
        MemorySize=512,
        Code={"ZipFile": zipped("index.py", PYTHON)},
    )
    launch = debug("slow")
    assert launch["type"] == "debugpy"
    thread, results = invoked(functions, "slow")
    dap = Dap(launch["connect"]["port"])
    dap.ask("initialize", adapterID="test", pathFormat="path", linesStartAt1=True, columnsStartAt1=True)
    attached = dap.send("attach", justMyCode=False, pathMappings=[])
    dap.event("initialized")
    source = {"path": "/var/task/index.py"}
    [found] = dap.ask("setBreakpoints", source=source, breakpoints=[{"line": 5}])["breakpoints"]
    assert found["line"] == 5
    dap.send("configurationDone")
    dap.until(lambda message: message.get("request_seq") == attached)
    stopped = dap.event("stopped")
    time.sleep(1.5)  # longer than the function may take
    [frame, *_] = dap.ask("stackTrace", threadId=stopped["threadId"], levels=1)["stackFrames"]
    assert frame["name"] == "handler"
    assert dap.ask("evaluate", expression="answer", frameId=frame["id"], context="repl")["result"] == "42"
    dap.ask("setExpression", expression="answer", value="43", frameId=frame["id"])
    dap.ask("continue", threadId=stopped["threadId"])
    thread.join(60)
    dap.close()
    assert results == [{"answer": 43}]


class Inspector:
    """The few words of Node.js's inspector that letting a program go on takes, over a WebSocket."""

    def __init__(self, port: int) -> None:
        path = self._listed(port)[0]["webSocketDebuggerUrl"].split("/", 3)[3]
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        key = base64.b64encode(os.urandom(16)).decode()
        self._socket.sendall(
            f"GET /{path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        assert b" 101 " in self._socket.recv(4096)

    @staticmethod
    def _listed(port: int) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("GET", "/json/list")
        try:
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def send(self, method: str) -> None:
        body = json.dumps({"id": 1, "method": method, "params": {}}).encode()
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(body))
        self._socket.sendall(bytes([0x81, 0x80 | len(body)]) + mask + masked)

    def close(self) -> None:
        self._socket.close()


@pytest.mark.skipif(shutil.which("node") is None, reason="no Node.js on this machine")
def test_a_debugger_for_node(debug: Any, client: Any, account: str) -> None:
    functions = client("lambda")
    version = subprocess.run(["node", "--version"], check=True, capture_output=True, text=True).stdout
    functions.create_function(
        FunctionName="slow",
        Runtime=f"nodejs{version[1:].split('.')[0]}.x",
        Handler="index.handler",
        Role=f"arn:aws:iam::{account}:role/functions",
        Timeout=1,
        MemorySize=512,
        Code={"ZipFile": zipped("index.js", NODE)},
    )
    launch = debug("slow")
    assert (launch["type"], launch["remoteRoot"]) == ("node", "/var/task")
    thread, results = invoked(functions, "slow")
    inspector = Inspector(launch["port"])
    time.sleep(1.5)  # it waits for the debugger, longer than the function may take
    assert not results
    inspector.send("Runtime.runIfWaitingForDebugger")
    thread.join(60)
    inspector.close()
    assert results == [{"answer": 42}]


def test_a_function_is_as_before_when_the_debugger_has_gone(node: Any, client: Any, account: str) -> None:
    functions = client("lambda")
    role = f"arn:aws:iam::{account}:role/functions"
    arn = functions.create_function(
        FunctionName="quick",
        Runtime="python3.11",
        Handler="index.handler",
        Role=role,
        Timeout=30,
        Code={"ZipFile": zipped("index.py", PYTHON)},
    )["FunctionArn"]
    opened = node.post("/_cumulet/debug", {"function": arn, "port": 0})
    assert opened["port"] == node.post("/_cumulet/debug", {"function": arn})["port"]
    node.post("/_cumulet/debugged", {"function": arn})
    answer = functions.invoke(FunctionName="quick", Payload=b'{"n": 1}')
    assert json.loads(answer["Payload"].read()) == {"answer": 2}
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", opened["port"]), timeout=5)
