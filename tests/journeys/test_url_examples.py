"""The examples with function URLs, deployed as their pages say and visited as a browser does."""

import http.client
import json
import re
import shutil
import subprocess
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.journeys.examples import deploy


def visit(
    node: Any, url: str, method: str = "GET", body: bytes | None = None, **headers: str
) -> http.client.HTTPResponse:
    """Not every machine resolves names under localhost as browsers do: the name goes as the Host header."""
    there, parts = urlsplit(node.endpoint), urlsplit(url)
    connection = http.client.HTTPConnection(there.hostname or "", there.port, timeout=60)
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body, {"Host": parts.netloc, **named})
    return connection.getresponse()


def test_a_page_fed_by_server_sent_events(strict: Any) -> None:
    binary = shutil.which("node", path="/usr/local/bin:/usr/bin:/bin")
    if binary is None:
        pytest.skip("no Node.js on this machine, which the example's function needs")
    version = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout
    url = deploy(strict, "streaming", f"nodejs{version[1:].split('.')[0]}.x")
    page = visit(strict, url)
    assert page.status == 200
    source = re.search(rb"EventSource\('([^']+)'\)", page.read())
    assert source is not None
    events = visit(strict, f"{url}{source[1].decode().replace('from=5', 'from=3')}&every=100")
    assert (events.status, events.headers["Content-Type"]) == (200, "text/event-stream")
    first = events.readline() + events.readline()
    assert first == b'data: {"text":"3"}\n\n'
    rest = events.read().decode()
    assert re.findall(r'"text":"([^"]+)"', rest) == ["2", "1", "Lift-off!"]
    assert rest.endswith("event: end\ndata: {}\n\n")
    assert visit(strict, f"{url}elsewhere").status == 404


def test_a_slot_machine(strict: Any) -> None:
    website = deploy(strict, "slot-machine")
    answer = visit(strict, website)
    page = answer.read().decode()
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    found = re.search(r"MACHINE = '([^']+)'", page)
    assert found is not None
    machine, origin = found[1], website.rstrip("/")
    asked = visit(
        strict,
        machine,
        "OPTIONS",
        Origin=origin,
        Access_Control_Request_Method="POST",
        Access_Control_Request_Headers="content-type",
    )
    assert asked.headers["Access-Control-Allow-Origin"] == origin
    assert asked.headers["Access-Control-Allow-Methods"] == "POST"
    assert asked.headers["Access-Control-Allow-Headers"] == "content-type"
    pulled = visit(strict, machine, "POST", b'{"bet": 2}', Origin=origin, Content_Type="application/json")
    assert pulled.headers["Access-Control-Allow-Origin"] == origin
    result = json.loads(pulled.read())
    assert len(result["reels"]) == 3
    assert (result["won"] > 0) == (len(set(result["reels"])) == 1)
    assert visit(strict, machine, "POST", b'{"bet": 9}', Content_Type="application/json").status == 400
    stranger = visit(strict, machine, "POST", b"{}", Origin="http://elsewhere.test", Content_Type="application/json")
    assert "Access-Control-Allow-Origin" not in stranger.headers
