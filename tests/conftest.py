"""Fixtures: a whole node in a process of its own, reached as a stranger would, through boto3.

One node serves the session (each test worker has its own); every test has an account to itself, so nothing needs
cleaning up. Tests that kill or restart nodes start their own with `start_node`.
"""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from hypothesis import HealthCheck, settings

REGION = "us-east-1"
# The same examples each time, however slow the machine is; `--hypothesis-profile=default` looks for new ones.
settings.register_profile(
    "steady", derandomize=True, max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("steady")
_accounts = itertools.count(int.from_bytes(os.urandom(4), "big") * 100_000 + 1)


def pytest_configure() -> None:
    """A shell that starts this in the background has it, and all that it starts, ignore Ctrl-C, which tests send."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


_ENDING = "import ctypes, os, sys; ctypes.CDLL(None).prctl(1, 15); os.execv(sys.argv[1], sys.argv[1:])"
"""PR_SET_PDEATHSIG, SIGTERM: kept over the execv."""


def ending_with_tests(command: list[str]) -> list[str]:
    """A command that is told to end when the thread that started it has ended, however that came; with the same process id."""
    return [sys.executable, "-I", "-S", "-c", _ENDING, *command] if sys.platform == "linux" else command


class NodeProcess:
    """A running node. `stop` ends it as a user would, `kill` as a power cut would; `restart` uses the same folder."""

    def __init__(self, data: Path, *options: str) -> None:
        self.data = data
        self._options = options
        self.start()

    def start(self) -> None:
        """From the thread that lives as long as the node is to: it ends with that."""
        self._log = (self.data.parent / f"{self.data.name}.log").open("ab")
        self.process = subprocess.Popen(
            ending_with_tests(
                [sys.executable, "-m", "cumulet", "up", "--data", str(self.data), "--port", "0", *self._options]
            ),
            stdout=self._log,
            stderr=self._log,
            stdin=subprocess.DEVNULL,
        )
        try:
            self.endpoint = self._wait()
        except BaseException:
            self.kill()
            raise

    def _wait(self) -> str:
        deadline = time.monotonic() + 100
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"the node ended with {self.process.returncode}: {self.log()}")
            try:
                node = json.loads((self.data / "node.json").read_text())
                if node["pid"] == self.process.pid:
                    self.get(node["endpoint"] + "/_cumulet/health")
                    return str(node["endpoint"])
            except (OSError, ValueError):
                pass
            time.sleep(0.02)
        raise RuntimeError(f"the node did not answer within 100 s: {self.log()}")

    @staticmethod
    def get(url: str) -> Any:
        with urllib.request.urlopen(url, timeout=60) as answer:
            return json.load(answer)

    def post(self, path: str, value: Any) -> Any:
        request = urllib.request.Request(self.endpoint + path, json.dumps(value).encode(), method="POST")
        with urllib.request.urlopen(request, timeout=200) as answer:
            return json.load(answer)

    def log(self) -> str:
        return (self.data.parent / f"{self.data.name}.log").read_text(errors="replace")[-4000:]

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(200)
        finally:
            self._log.close()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(60)
        self._log.close()

    def restart(self) -> None:
        self.stop()
        self.start()

    def client(self, service: str, account: str, region: str = REGION, **options: Any) -> Any:
        """A boto3 client signed as the root of `account`; further options go to boto3."""
        settings: dict[str, Any] = {
            "endpoint_url": self.endpoint,
            "region_name": region,
            "aws_access_key_id": account,
            "aws_secret_access_key": "test",
            "config": Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}, read_timeout=200),
        }
        return boto3.client(service, **(settings | options))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kills", type=int, default=3, help="how often tests/journeys/test_kill.py kills its node")


def _end(nodes: list[NodeProcess]) -> None:
    while nodes:
        nodes.pop().stop()


@pytest.fixture(scope="session")
def started() -> Iterator[list[NodeProcess]]:
    """The nodes that run."""
    nodes: list[NodeProcess] = []
    yield nodes
    _end(nodes)


@pytest.fixture(scope="session")
def start_node(started: list[NodeProcess], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., NodeProcess]:
    """Starts a node with a folder of its own; ended with the test that started it, or with the session."""

    def start(*options: str) -> NodeProcess:
        started.append(NodeProcess(tmp_path_factory.mktemp("node") / "data", *options))
        return started[-1]

    return start


@pytest.fixture(autouse=True)
def _nodes_end_with_their_test(started: list[NodeProcess]) -> Iterator[None]:
    """Those of wider fixtures run by now, and go on; many nodes at once would be a load to all other tests."""
    before = list(started)
    yield
    mine = [node for node in started if node not in before]
    started[:] = before
    _end(mine)


@pytest.fixture(scope="session")
def node(start_node: Callable[..., NodeProcess]) -> NodeProcess:
    """The session's node. What is a server has longer to start than on AWS, as the machine may be slow."""
    return start_node("--limit", "lambda-web.init_seconds=100")


@pytest.fixture
def endpoint(node: NodeProcess) -> str:
    return node.endpoint


@pytest.fixture
def account() -> str:
    """An account that no other test uses."""
    return f"{next(_accounts) % 10**12:012d}"


@pytest.fixture
def client(node: NodeProcess, account: str) -> Callable[..., Any]:
    """`client("s3")` is a boto3 client for this test's account."""

    def make(service: str, region: str = REGION, **options: Any) -> Any:
        return node.client(service, options.pop("account", account), region, **options)

    return make


@pytest.fixture
def advance(node: NodeProcess) -> Callable[[float], None]:
    """Moves the node's clock forward by that many seconds."""

    def move(seconds: float) -> None:
        node.post("/_cumulet/clock", {"advance": seconds})

    return move
