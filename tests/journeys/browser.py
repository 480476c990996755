"""A page in a real browser: headless Chromium, steered over its DevTools protocol."""

import contextlib
import itertools
import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

NAMES = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--remote-debugging-port=0"),
)


class Page:
    """One page."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._numbers = itertools.count(1)

    def evaluate(self, script: str) -> Any:
        """The value of a JavaScript expression in the page; promises are waited for."""
        asked = {"expression": script, "awaitPromise": True, "returnByValue": True}
        answer = self._send("Runtime.evaluate", asked)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def visit(self, url: str) -> None:
        self._send("Page.navigate", {"url": url})

    def wait_for(self, script: str) -> Any:
        """The expression's value once it is true."""
        end = time.monotonic() + 90
        while not (value := self.evaluate(script)):
            assert time.monotonic() < end, f"{script} did not become true: {self.evaluate('document.body?.innerText')}"
            time.sleep(0.05)
        return value

    def _send(self, method: str, parameters: dict[str, Any]) -> Any:
        number = next(self._numbers)
        self._connection.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._connection.recv(90))
            if answer.get("id") == number:
                assert "error" not in answer, answer
                return answer["result"]


@contextlib.contextmanager
def page(folder: Path) -> Iterator[Page]:
    """A new browser with one empty page; `folder` is for its profile. Skips the test where there is no Chromium."""
    binary = next(filter(None, map(shutil.which, NAMES)), None)
    if binary is None:
        pytest.skip(f"no browser on this machine: {', '.join(NAMES)}")
    with (folder / "browser.log").open("wb") as log:
        command = [binary, *OPTIONS, f"--user-data-dir={folder / 'profile'}", "about:blank"]
        browser = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        with connect(_address(browser, folder), proxy=None, max_size=None, open_timeout=90) as connection:
            yield Page(connection)
    finally:
        browser.terminate()
        try:
            browser.wait(30)
        except subprocess.TimeoutExpired:
            browser.kill()
            browser.wait(30)


def _address(browser: "subprocess.Popen[bytes]", folder: Path) -> str:
    """Where the page's DevTools listen."""
    end = time.monotonic() + 90
    place = folder / "profile" / "DevToolsActivePort"
    while time.monotonic() < end and browser.poll() is None:
        with contextlib.suppress(OSError, ValueError):
            port, _ = place.read_text().split()
            return _page_of(f"127.0.0.1:{port}")
        time.sleep(0.05)
    raise AssertionError(f"the browser did not start: {(folder / 'browser.log').read_text()[-2000:]}")


def _page_of(host: str) -> str:
    with urllib.request.urlopen(f"http://{host}/json/list", timeout=60) as answer:
        return str(next(each["webSocketDebuggerUrl"] for each in json.load(answer) if each["type"] == "page"))
