"""The guestbook: a server of Node.js, deployed as it is."""

import http.client
import re
import shutil
import subprocess
from urllib.parse import urlsplit

import pytest
from tests.conftest import NodeProcess
from tests.journeys.examples import deploy


def test_a_guestbook(strict: NodeProcess) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no Node.js here")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.match(r"v(\d+)", version)
    assert found is not None
    domain = deploy(strict, "guestbook", f"nodejs{found[1]}.x")

    def connect() -> http.client.HTTPConnection:
        address = urlsplit(strict.endpoint)
        return http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)

    following, signing = connect(), connect()
    following.request("GET", "/events", headers={"Host": domain})
    events = following.getresponse()
    assert events.readline() == b": hello\n"
    signing.request(
        "POST",
        "/sign",
        "name=Ann&text=%3Chi%3E",
        {"Host": domain, "Content-Type": "application/x-www-form-urlencoded"},
    )
    signed = signing.getresponse()
    signed.read()
    assert (signed.status, signed.getheader("Location")) == (303, "/")
    lines = [events.readline() for _ in range(2)]
    assert b'"Ann"' in lines[1]
    signing.request("GET", "/", headers={"Host": domain})
    page = signing.getresponse().read()
    assert b"<b>Ann</b> &#60;hi&#62;" in page
    following.close()
    signing.close()
