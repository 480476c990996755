"""Code of strangers: sessions that do not see each other, and go on where they were after they were suspended."""

import http.client
from typing import Any
from urllib.parse import urlsplit

from tests.conftest import NodeProcess
from tests.journeys.examples import deploy
from tests.services.lambda_.microvms.conftest import until


def test_sessions_of_code(strict: NodeProcess) -> None:
    image = deploy(strict, "sandbox")
    account = image.split(":")[4]
    microvms = strict.client("lambda-microvms", account)
    idle = {"maxIdleDurationSeconds": 600, "suspendedDurationSeconds": 1800, "autoResumeEnabled": True}
    sessions = [microvms.run_microvm(imageIdentifier=image, idlePolicy=idle) for _ in range(2)]

    def run(session: Any, code: str) -> str:
        token = microvms.create_microvm_auth_token(
            microvmIdentifier=session["microvmId"], expirationInMinutes=60, allowedPorts=[{"port": 8080}]
        )["authToken"]
        address = urlsplit(strict.endpoint)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)
        connection.request("POST", "/", code.encode(), {"Host": session["endpoint"], **token})
        answer = connection.getresponse()
        body = answer.read().decode()
        connection.close()
        assert answer.status == 200, body
        return body

    def reaches(session: Any, state: str) -> None:
        until(lambda: microvms.get_microvm(microvmIdentifier=session["microvmId"])["state"] == state)

    one, other = sessions
    assert run(one, "x = 6\nopen('/tmp/own', 'w').write('mine')\nprint(x * 7)") == "42\n"
    assert "NameError" in run(other, "print(x)")
    assert "FileNotFoundError" in run(other, "open('/tmp/own')")
    strict.post("/_cumulet/clock", {"advance": 601})
    for session in sessions:
        reaches(session, "SUSPENDED")
    assert run(one, "x += 1\nprint(x, open('/tmp/own').read())") == "7 mine\n"
    for session in sessions:
        microvms.terminate_microvm(microvmIdentifier=session["microvmId"])
        reaches(session, "TERMINATED")
