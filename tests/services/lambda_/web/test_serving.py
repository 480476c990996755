"""Servers behind endpoints: Node.js's, Python's, and programs of their own."""

import contextlib
import json
import threading
import time
from typing import Any

from tests.services.lambda_.web.conftest import WebFunctions, node_runtime

NODE = """
const http = require('http');
const [host, port] = process.env.AWS_LAMBDA_HTTP_ENDPOINT.split(':');
http.createServer((request, response) => {
  const pieces = [];
  request.on('data', (piece) => pieces.push(piece));
  request.on('end', () => {
    console.log('asked for', request.url);
    response.setHeader('Set-Cookie', ['a=1', 'b=2']);
    response.setHeader('Content-Type', 'application/json');
    response.statusCode = 201;
    const text = Buffer.concat(pieces).toString();
    response.end(JSON.stringify({ method: request.method, url: request.url, headers: request.headers, text }));
  });
}).listen(Number(port), host);
"""
PYTHON_SERVER = """
import http.server, json, os, threading, time

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    met = set()

    def do_GET(self):
        if self.path == "/meet":  # answers when three are here
            Handler.met.add(threading.get_ident())
            while len(Handler.met) < 3:
                time.sleep(0.01)
        if self.path == "/exit":
            os._exit(3)
        if self.path == "/stream":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for number in range(3):
                piece = b"piece %d" % number
                self.wfile.write(b"%x\\r\\n%b\\r\\n" % (len(piece), piece))
                self.wfile.flush()
                if number == 0:
                    while not os.path.exists("/tmp/go"):
                        time.sleep(0.01)
            self.wfile.write(b"0\\r\\n\\r\\n")
            return
        if self.path == "/go":
            open("/tmp/go", "w").close()
        if self.path == "/sleep":
            time.sleep(60)
        body = json.dumps({"environment": dict(os.environ), "uid": os.getuid(), "pid": os.getpid()}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        size = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(size)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, *parts):
        pass

print("starting")
http.server.ThreadingHTTPServer(("0.0.0.0", int(os.environ["PORT"])), Handler).serve_forever()
"""


def test_a_server_of_nodejs(web: WebFunctions) -> None:
    domain = web.make("site", {"index.js": NODE}, node_runtime())
    status, headers, body = web.ask(domain, "/a%2Fb?x=1&x=2", "POST", b"hello", X_Test="yes", Connection="keep-alive")
    assert status == 201
    asked = json.loads(body)
    assert (asked["method"], asked["url"], asked["text"]) == ("POST", "/a%2Fb?x=1&x=2", "hello")
    assert asked["headers"]["x-test"] == "yes"
    assert asked["headers"]["host"] == domain
    assert asked["headers"]["x-forwarded-for"] == "127.0.0.1"
    assert asked["headers"]["lambda-web-endpoint-name"] == "live"
    assert headers["lambda-web-request-id"] == asked["headers"]["lambda-web-request-id"]
    assert headers["set-cookie"] == "b=2"  # the last of two; both came


def test_a_server_of_python(web: WebFunctions) -> None:
    domain = web.make("site", {"main.py": PYTHON_SERVER}, environmentVariables={"COLOUR": "blue"})
    status, _, body = web.ask(domain)
    assert status == 200
    seen = json.loads(body)
    assert seen["uid"] != 0
    variables = seen["environment"]
    assert variables["COLOUR"] == "blue"
    assert variables["AWS_LAMBDA_HTTP_ENDPOINT"] == "0.0.0.0:3000"
    assert variables["AWS_LAMBDA_INITIALIZATION_TYPE"] == "native-http"
    assert variables["AWS_REGION"] == "us-east-1"
    assert variables["AWS_ACCESS_KEY_ID"]


def test_a_program_of_its_own(web: WebFunctions) -> None:
    script = "#!/bin/sh\nexec /usr/bin/env python3 -m http.server --directory /var/task $PORT\n"
    domain = web.make("site", {"bootstrap": script, "hello.txt": "hello"}, "provided.al2023")
    status, headers, body = web.ask(domain, "/hello.txt")
    assert (status, headers["content-type"], body) == (200, "text/plain", b"hello")


def test_requests_meet_in_one_environment(web: WebFunctions) -> None:
    domain = web.make("site", {"main.py": PYTHON_SERVER})
    pids: list[int] = []

    def ask() -> None:
        pids.append(json.loads(web.ask(domain, "/meet")[2])["pid"])

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(pids) == 3
    assert len(set(pids)) == 1


def test_answers_come_as_they_are_written(web: WebFunctions) -> None:
    domain = web.make("site", {"main.py": PYTHON_SERVER})
    connection = web.connect()
    connection.request("GET", "/stream", headers={"Host": domain})
    answer = connection.getresponse()
    assert answer.read(7) == b"piece 0"  # the rest is not written before the next request
    web.ask(domain, "/go")
    assert answer.read() == b"piece 1piece 2"
    connection.close()


def test_bodies_of_any_size(web: WebFunctions) -> None:
    domain = web.make("site", {"main.py": PYTHON_SERVER})
    large = bytes(range(256)) * 40_000
    assert web.ask(domain, "/", "POST", large)[2] == large
    assert web.ask(domain, "/", "POST", b"")[2] == b""
    status, headers, body = web.ask(domain, "/", "HEAD")
    assert (status, body) == (200, b"")
    assert int(headers["content-length"]) > 0


def test_what_is_wrong_is_said(web: WebFunctions) -> None:
    domain = web.make("site", {"main.py": PYTHON_SERVER})
    status, _, body = web.ask(domain, "/exit")
    assert (status, b"closed the connection" in body) == (502, True)
    status, _, body = web.ask(domain)
    assert status == 200, body  # another environment
    assert web.ask(domain, method="TRACE")[0] == 400
    assert web.ask(domain.replace(domain[:16], "b" * 16))[0] == 404


def test_servers_that_do_not_start(web: WebFunctions) -> None:
    def said(name: str, files: dict[str, str]) -> tuple[int, str]:
        status, _, body = web.ask(web.make(name, files))
        return status, json.loads(body)["message"]

    status, message = said("ends", {"main.py": "raise SystemExit(7)"})
    assert (status, "exit status 7" in message) == (502, True)
    status, message = said("lacks", {"other.py": ""})
    assert (status, "AWS_LAMBDA_HTTP_ENDPOINT" in message) == (502, True)


def test_timeouts(web: WebFunctions) -> None:
    domain = web.make("site", {"main.py": PYTHON_SERVER}, timeoutSeconds=5)
    assert web.ask(domain, "/sleep")[0] == 504
    assert web.ask(domain)[0] == 200


def test_logs(web: WebFunctions, client: Any) -> None:
    domain = web.make("site", {"index.js": NODE}, node_runtime())
    request_id = web.ask(domain, "/logged")[1]["lambda-web-request-id"]
    logs, events = client("logs"), list[Any]()
    deadline = time.monotonic() + 60
    while len(events) < 3:
        assert time.monotonic() < deadline, events
        time.sleep(0.05)
        with contextlib.suppress(logs.exceptions.ResourceNotFoundException):  # until there is something to log
            events = logs.filter_log_events(logGroupName="/aws/lambda/web/site")["events"]
    lines = [json.loads(event["message"]) for event in events]
    assert [line["type"] for line in lines if "type" in line] == ["platform.initStart", "platform.initReport"]
    said = next(line for line in lines if "type" not in line)
    assert said["message"] == "asked for /logged"
    assert (said["level"], said["requestId"], said["endpointName"]) == ("INFO", request_id, "live")
