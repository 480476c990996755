"""Programs that listen themselves, at each level."""

import time
from typing import Any

from tests.compute.conftest import Machine, make_machine

_SERVER = """
    import http.server, json, os, urllib.request
    print("begun")

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            told = {"pid": os.getpid(), "uid": os.getuid(), "path": self.path, "written": writes("/var/task/new")}
            body = json.dumps(told).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *parts):
            pass

    def writes(path):
        try:
            open(path, "w").close()
        except OSError:
            return False
        return True

    http.server.ThreadingHTTPServer(("0.0.0.0", 3000), Handler).serve_forever()
"""


def spec(machine: Machine, code: str, **more: Any) -> dict[str, Any]:
    return machine.function(code, server={"entry": "app.py", "port": 3000}, concurrency=4, **more)


def test_a_server_is_reached_and_confined(machine: Machine) -> None:
    function = spec(machine, _SERVER)
    answers = machine.ask_all([{"do": "ask", "spec": function, "path": f"/{number}"} for number in range(3)])
    assert {answer["status"] for answer in answers} == {200}
    assert len({answer["environment"] for answer in answers}) == 1
    assert all('"written": false' in answer["body"] for answer in answers)
    assert machine.ask("lines", key=function["key"]) == ["begun"]
    machine.ask("retire", key=function["key"])
    assert machine.ask("ask", spec=function, path="/")["environment"] != answers[0]["environment"]


def test_programs_that_do_not_listen(machine: Machine) -> None:
    ended = machine.ask("ask", spec=spec(machine, "raise SystemExit(3)"), path="/")
    assert ended == {"error": "crash", "detail": "exit status 3"}
    deaf = spec(machine, "import time; time.sleep(60)", init_timeout=1.0)
    assert machine.ask("ask", spec=deaf, path="/")["error"] == "timeout"
    lacking = spec(machine, "pass") | {"server": {"entry": "nothing.py", "port": 3000}}
    assert machine.ask("ask", spec=lacking, path="/")["error"] == "crash"
    program = spec(machine, "pass", runtime="provided.al2023") | {"server": {"entry": "bootstrap", "port": 3000}}
    assert machine.ask("ask", spec=program, path="/")["error"] == "init"
    kept = {environment["key"] for environment in machine.ask("environments")}
    assert not kept & {deaf["key"], lacking["key"], program["key"]}


def test_the_least_loaded_has_the_next(machine: Machine) -> None:
    """Eight at once need two environments of four places each, or more where they come one after the other."""
    function = spec(machine, _SERVER)
    answers = machine.ask_all([{"do": "ask", "spec": function, "path": "/"} for _ in range(8)])
    assert [answer.get("status") for answer in answers] == [200] * 8, answers
    assert 1 <= len({answer["environment"] for answer in answers}) <= 2


def test_blanks_become_the_program_that_is_asked_for(machine: Machine) -> None:
    """Those made ahead for one program are taken for another."""
    served = spec(machine, _SERVER)
    lacking = spec(machine, "pass") | {"server": {"entry": "nothing.py", "port": 3000}}
    for _ in range(4):
        assert machine.ask("ask", spec=lacking, path="/") == {"error": "crash", "detail": "exit status 2"}
        time.sleep(0.2)  # for the blank that is made after one was taken
        assert machine.ask("ask", spec=served, path="/").get("status") == 200, machine.ask("lines", key=served["key"])
        machine.ask("retire", key=served["key"])


def test_there_are_none_without_sandboxes() -> None:
    with make_machine("process") as machine:
        assert "sandbox" in machine.ask("ask", spec=spec(machine, _SERVER), path="/")["unavailable"]
