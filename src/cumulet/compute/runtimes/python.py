"""Python runtimes: the interpreters of this machine, and how their zygotes start."""

import json
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cumulet.compute.runtimes import command
from cumulet.compute.runtimes.runtime import Channel, Launch, Runtime
from cumulet.compute.runtimes.server import TASK, Program

VERSIONS = ("3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14")
SDK = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3", "six.py")
"""What Lambda's Python carries beside the standard library; pure Python, so one copy serves every version."""

_INSIDE = "/var/rapid/compute"
_PREFIX = "/var/lang"
_BOOTSTRAP = "/var/runtime/bootstrap.py"
_OFFERED = Path(__file__).parent / "inside" / "offered"
"""Modules that Lambda's Python has, and functions import."""


class PythonRuntime:
    """One Python version. `sdk` is the folder that holds the AWS SDK's packages, or None.

    The lean one has loaded what it needs itself only; what functions use, the SDK above all, costs memory that a node
    without such functions does not have to spend.
    """

    channel: Channel = "frames"
    forked = True
    start: Mapping[str, object] = {"rehearse": True}

    def __init__(self, version: str, interpreter: Path, sdk: Path | None, *, lean: bool = False) -> None:
        self.version = version
        self.name = f"python{version}"
        self.zygote = self.blank = f"{self.name} lean" if lean else self.name
        self.lean = None if lean else PythonRuntime(version, interpreter, sdk, lean=True)
        self.growth: Mapping[str, object] = {"warm": True, "sdk": "/var/runtime" if sdk else ""}
        self.path = str(interpreter)
        self._prefix = interpreter.parent.parent
        self._sdk = sdk

    def launch(self) -> Launch:
        prefix = self._inside
        binds = [(str(Path(__file__).parent.parent), _INSIDE)]
        binds.append((str(Path(__file__).parent / "inside" / "bootstrap.py"), _BOOTSTRAP))
        binds += [(str(module), f"/var/runtime/{module.name}") for module in _OFFERED.glob("*.py")]
        binds += self._interpreter_and_sdk()
        config = {"runtime": "cumulet.compute.runtimes.inside.python"}
        text = json.dumps(config)[:-1] + ', "control": {control}, "namespaces": {namespaces}, "root": {root}}'
        return Launch(
            binds=binds,
            argv=[
                f"{prefix}/bin/python{self.version}",
                "-I",
                "-S",
                f"{_INSIDE}/sandbox/launch.py",
                "sandbox.zygote",
                text,
            ],
            environment={"LD_LIBRARY_PATH": f"{prefix}/lib", "LANG": "C.UTF-8", "OPENBLAS_NUM_THREADS": "1"},
        )

    @property
    def _inside(self) -> str:
        """Where the interpreter's prefix is in an environment."""
        return "/usr" if self._prefix == Path("/usr") else _PREFIX

    def _interpreter_and_sdk(self) -> list[tuple[str, str]]:
        binds = [] if self._inside == "/usr" else [(str(self._prefix), _PREFIX)]
        if self._sdk is not None:
            binds += [(str(self._sdk / name), f"/var/runtime/{name}") for name in SDK if (self._sdk / name).exists()]
        return binds

    def server(self, entry: str) -> Program:
        return Program(
            zygote=f"python{self.version} server",
            launch=Launch(binds=self._interpreter_and_sdk(), module=command.MODULE),
            argv=[f"{self._inside}/bin/python{self.version}", f"{TASK}/{entry}"],
            variables={"PYTHONUNBUFFERED": "1", "PYTHONPATH": f"{TASK}:/var/runtime"},
        )

    def for_function(self, memory_mb: int, environment: Mapping[str, str]) -> Runtime:
        del memory_mb, environment
        return self

    def assignment(self, handler: str, code: str, environment: Mapping[str, str]) -> Mapping[str, object]:
        try:
            bundled = set(SDK).intersection(os.listdir(code))  # noqa: PTH208 - one of these for every environment
        except OSError:
            bundled = set()  # the sandbox says what is wrong with it
        packages = f"/opt/python/lib/python{self.version}/site-packages"
        return {
            **self._wrapper(environment),
            "handler": handler,
            "forget": [name.removesuffix(".py") for name in bundled],
            "root": "/var/task",
            "paths": ["/var/task", packages, "/opt/python"],
        }

    def _wrapper(self, environment: Mapping[str, str]) -> Mapping[str, object]:
        script = environment.get(command.WRAPPER)
        if not script:
            return {}
        interpreter = f"{self._inside}/bin/python{self.version}"
        return {"wrapper": script, "interpreter": interpreter, "bootstrap": _BOOTSTRAP}

    def alone(self, code: str, layers: Sequence[str]) -> dict[str, Any]:
        packages = f"python/lib/python{self.version}/site-packages"
        above = [f"{layer}/{folder}" for layer in reversed(layers) for folder in (packages, "python")]
        bootstrap = str(Path(__file__).parent / "inside" / "bootstrap.py")
        return {"root": code, "paths": [code, *above, str(_OFFERED)], "interpreter": self.path, "bootstrap": bootstrap}

    def launch_alone(self) -> Sequence[str]:
        launcher = Path(__file__).parent.parent / "sandbox" / "launch.py"
        config = {"sdk": str(self._sdk or "")}
        text = json.dumps(config)[:-1] + ', "orders": {orders}, "channel": {channel}, "log": {log}}'
        return [self.path, "-I", "-S", str(launcher), "runtimes.inside.alone", text]

    def variables(self) -> Mapping[str, str]:
        return {
            "PATH": "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin",
            "LD_LIBRARY_PATH": "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib",
            "PYTHONPATH": "/var/runtime",
        }


def find(search_path: str, home: Path, sdk: Path | None) -> dict[str, PythonRuntime]:
    """The interpreters of this machine by runtime identifier; the one that runs Cumulet wins for its version."""
    found: dict[str, PythonRuntime] = {}
    for version in VERSIONS:
        interpreter = next((path for path in _candidates(version, search_path, home) if _complete(path, version)), None)
        if interpreter is not None:
            found[f"python{version}"] = PythonRuntime(version, interpreter.resolve(), sdk)
    return found


def sdk_folder(path: Iterable[str]) -> Path | None:
    """Where the AWS SDK is installed, without importing it."""
    return next((Path(folder) for folder in path if (Path(folder) / "boto3" / "__init__.py").exists()), None)


def _candidates(version: str, search_path: str, home: Path) -> Iterable[Path]:
    name = f"python{version}"
    if sys.version_info[:2] == tuple(int(part) for part in version.split(".")):
        yield Path(sys.base_prefix) / "bin" / name
    for folder in search_path.split(":"):
        yield Path(folder) / name
    for pattern in (
        f".pyenv/versions/{version}.*/bin/{name}",
        f".local/share/uv/python/cpython-{version}.*/bin/{name}",
        f".local/share/mise/installs/python/{version}*/bin/{name}",
    ):
        yield from sorted(home.glob(pattern), key=_version_of, reverse=True)
    yield from Path("/opt").glob(f"hostedtoolcache/Python/{version}.*/x64/bin/{name}")


def _version_of(path: Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", path.parent.parent.name)]


def _complete(interpreter: Path, version: str) -> bool:
    """A real interpreter with its library beside it: no shim, no virtual environment."""
    try:
        if not interpreter.is_file():  # as most candidates; to resolve one takes ten times as long
            return False
        return (interpreter.resolve().parent.parent / "lib" / f"python{version}" / "os.py").exists()
    except OSError:
        return False


def own() -> str:
    """The runtime identifier of the Python that runs this."""
    return f"python{sys.version_info[0]}.{sys.version_info[1]}"
