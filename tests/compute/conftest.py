"""A node's compute in a process of its own, at each level that this machine has."""

import contextlib
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = os.getuid() == 0
NOBODY = 65_534
_SOURCE = Path(__file__).parent.parent.parent / "src"
_names = itertools.count()
_RUNTIME = os.environ.get("CUMULET_TEST_PYTHON", f"python3.{sys.version_info[1]}")
"""What functions in Python run on; another one than that of the tests where it is asked for."""
SEARCH_PATH = os.environ.get("CUMULET_TEST_PATH", "/usr/local/bin:/usr/bin:/bin")
"""Where interpreters to test are looked for."""


class Machine:
    """Compute behind pipes. `function` makes functions from source text; `invoke` runs them."""

    def __init__(self, folder: Path, level: str, **config: Any) -> None:
        self.level = level
        self.folder = folder
        self.name = f"cumulet-test-{os.getpid()}-{next(_names)}"
        self._config = {"folder": str(folder / "compute"), "name": self.name, **_interpreters(level), **config}
        if level == "process":
            self._config["level"] = level
        self._ids = itertools.count()
        self.start()

    def start(self) -> None:
        user: dict[str, Any] = {}
        if self.level == "rootless" and ROOT:
            os.chown(self.folder, NOBODY, NOBODY)
            user = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        self.process: subprocess.Popen[str] = subprocess.Popen(
            [_python(self.level), str(Path(__file__).parent / "driver.py"), json.dumps(self._config)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={"PYTHONPATH": os.pathsep.join([str(_SOURCE), *_packages()]), "PATH": "/usr/bin:/bin", "SECRET": "x"},
            text=True,
            **user,
        )

    def stop(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(60)
        assert self.process.stdout is not None
        self.process.stdout.close()

    def function(self, code: str, /, **spec: Any) -> dict[str, Any]:
        """A function whose module `app` holds `code`."""
        name = f"f{next(self._ids)}"
        folder = self.folder / name
        folder.mkdir()
        (folder / "app.py").write_text(textwrap.dedent(code))
        folder.chmod(0o755)
        return {
            "key": name,
            "runtime": _RUNTIME,
            "handler": "app.handler",
            "code": str(folder),
            "timeout": 60.0,
            "init_timeout": 60.0,
            "memory_mb": 256,
            **spec,
        }

    def invoke(self, spec: dict[str, Any], event: Any = None, **more: Any) -> dict[str, Any]:
        """The outcome as a dictionary."""
        answer: dict[str, Any] = self.ask("invoke", spec=spec, payload=json.dumps(event), **more)
        return answer

    def result(self, spec: dict[str, Any], event: Any = None, **more: Any) -> Any:
        """What the function answered; fails the test when it did not."""
        outcome = self.invoke(spec, event, **more)
        assert outcome.get("error", "missing") is None, outcome
        return json.loads(outcome["payload"])

    def ask(self, do: str, **request: Any) -> Any:
        return self.ask_all([{"do": do, **request}])[0]

    def ask_all(self, requests: list[dict[str, Any]]) -> list[Any]:
        """Send all at once, so that none is over before the last is there; the answers in the order of the requests."""
        ids = self.send_all(requests)
        answers = dict(self.receive() for _ in requests)
        return [answers[id_] for id_ in ids]

    def send(self, request: dict[str, Any]) -> int:
        return self.send_all([request])[0]

    def send_all(self, requests: list[dict[str, Any]]) -> list[int]:
        assert self.process.stdin is not None
        ids = [next(self._ids) for _ in requests]
        lines = [json.dumps({"id": id_, **request}) for id_, request in zip(ids, requests, strict=True)]
        self.process.stdin.write("".join(line + "\n" for line in lines))
        self.process.stdin.flush()
        return ids

    def receive(self) -> tuple[int, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the driver ended with {self.process.wait()}")
        answer = json.loads(line)
        return answer["id"], answer["answer"]


def _interpreters(level: str) -> dict[str, Any]:
    home = "/nonexistent" if level == "rootless" else str(Path.home())
    return {"home": home, "sdk_path": _packages(), "search_path": SEARCH_PATH}


def _packages() -> list[str]:
    return [path for path in sys.path if path.endswith("site-packages")]


def _python(level: str) -> str:
    """This interpreter or, where another user could not run it, the system's of the same version."""
    if level != "rootless" or not ROOT:
        return sys.executable
    system = shutil.which(f"python3.{sys.version_info[1]}", path="/usr/bin:/usr/local/bin")
    if system is None:
        pytest.skip(f"rootless: /usr/bin has no Python 3.{sys.version_info[1]} that another user can run")
    return system


@contextlib.contextmanager
def make_machine(level: str, **config: Any) -> Iterator[Machine]:
    """A machine in a folder that every user may enter; pytest's own are closed to others."""
    if level == "full" and not ROOT:
        pytest.skip("level full: needs root; the rootless level is tested instead")
    with tempfile.TemporaryDirectory(prefix="cumulet-test-") as folder:
        Path(folder).chmod(0o755)
        made = Machine(Path(folder), level, **config)
        try:
            yield made
        finally:
            made.stop()


@pytest.fixture(scope="session", params=["full", "rootless"])
def machine(request: pytest.FixtureRequest) -> Iterator[Machine]:
    """Compute at a level; tests share it."""
    with make_machine(request.param) as made:
        yield made
