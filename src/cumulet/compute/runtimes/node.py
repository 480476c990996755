"""Node.js runtimes: the versions of this machine, and how their processes start.

Node.js cannot be forked, so a blank environment holds a process that has started already and waits for its function.
"""

import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cumulet.compute.runtimes import command
from cumulet.compute.runtimes.runtime import Channel, Launch, Runtime
from cumulet.compute.runtimes.server import TASK, Program

VERSIONS = (16, 18, 20, 22, 24, 26)
SDK = "@aws-sdk"
_INSIDE = Path(__file__).parent / "inside" / "node"
_BINARY = "/var/lang/bin/node"
_PREFIX = "/var/lang"
_RUNTIME = "/var/runtime"
_HEADER = re.compile(r"#define NODE_MAJOR_VERSION (\d+)")
_TIMEOUT = 5.0

_READ_AT_START = re.compile(r"(?!NODE_ENV$)NODE_|LD_|UV_|OPENSSL_|SSL_CERT_|MALLOC_|ICU_|" + command.WRAPPER)
"""Variables that only have their effect on a process started with them."""


class NodeRuntime:
    """One major version, with the heap of functions of `memory_mb`; `late` starts it with the function, not ahead."""

    channel: Channel = "frames"
    forked = False
    lean = None
    growth: Mapping[str, object] = {}

    def __init__(self, major: int, binary: Path, sdk: Path | None, memory_mb: int = 128, *, late: bool = False) -> None:
        self.name = self.zygote = f"nodejs{major}.x"
        self.blank = f"{self.name} {'late' if late else memory_mb}"
        self.path = str(binary)
        self._major = major
        self._binary = binary
        self._sdk = sdk
        self._memory_mb = memory_mb
        self._late = late

    @property
    def start(self) -> Mapping[str, object]:
        """The process that a blank of this is."""
        if self._late:
            return {}
        return {"argv": [*self._argv(""), "ahead"], "environment": {**self.variables(), "LANG": "C.UTF-8"}}

    def for_function(self, memory_mb: int, environment: Mapping[str, str]) -> Runtime:
        usual = self.variables()
        late = any(_READ_AT_START.match(name) and value != usual.get(name) for name, value in environment.items())
        return NodeRuntime(self._major, self._binary, self._sdk, memory_mb, late=late)

    def launch(self) -> Launch:
        prefix = self._binary.parent.parent
        system = prefix in {Path("/usr"), Path("/usr/local"), Path("/")}
        binds = [(str(self._binary), _BINARY)] if system else [(str(prefix), _PREFIX)]
        binds += [(str(file), f"{_RUNTIME}/{file.name}") for file in sorted(_INSIDE.glob("*.cjs"))]
        if self._sdk is not None:
            binds.append((str(self._sdk), f"{_RUNTIME}/node_modules"))
        return Launch(binds=binds, module=command.MODULE)

    def assignment(self, handler: str, code: str, environment: Mapping[str, str]) -> Mapping[str, object]:
        del code
        if not self._late:
            return {"handler": handler}
        argv = self._argv(environment.get("NODE_OPTIONS", ""))
        return {"handler": handler, "frames": True, **command.wrapped(argv, environment)}

    def alone(self, code: str, layers: Sequence[str]) -> dict[str, Any]:
        places = (f"node{self._major}/node_modules", "node_modules")
        modules = [f"{layer}/nodejs/{place}" for layer in reversed(layers) for place in places]
        sdk = [str(self._sdk)] if self._sdk else []
        return {
            "programs": [self.path],
            "arguments": [*self._argv("")[1:-1], str(_INSIDE / "index.cjs")],
            "frames": True,
            "variables": {"NODE_PATH": ":".join([*modules, *sdk, code])},
        }

    def launch_alone(self) -> Sequence[str]:
        return command.launch_alone()

    def server(self, entry: str) -> Program:
        argv = [*self._argv("")[:-1], "--require", f"{_RUNTIME}/server.cjs", f"{TASK}/{entry}"]
        return Program(zygote=self.zygote, launch=self.launch(), argv=argv)

    def variables(self) -> Mapping[str, str]:
        modules = f"/opt/nodejs/node{self._major}/node_modules:/opt/nodejs/node_modules"
        return {
            "PATH": "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin",
            "LD_LIBRARY_PATH": "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib",
            "NODE_PATH": f"{modules}:/var/runtime/node_modules:/var/runtime:/var/task",
        }

    def _argv(self, options: str) -> Sequence[str]:
        """Nine tenths of the memory for the old generation and a twentieth for the young, as in Lambda."""
        sizes = {"max-semi-space-size": self._memory_mb * 5 // 100, "max-old-space-size": self._memory_mb * 9 // 10}
        chosen = [f"--{name}={size}" for name, size in sizes.items() if name not in options.replace("_", "-")]
        return [_BINARY, "--max-http-header-size=81920", *chosen, f"{_RUNTIME}/index.cjs"]


def find(folders: Iterable[str], home: Path, sdk: Path | None) -> dict[str, NodeRuntime]:
    """The newest Node.js of each major version on this machine, by runtime identifier."""
    found: dict[str, NodeRuntime] = {}
    for binary in _candidates(folders, home):
        major = _major(binary)
        name = f"nodejs{major}.x"
        if major in VERSIONS and name not in found:
            found[name] = NodeRuntime(major, binary, sdk)
    return found


def sdk_places(folder: Path) -> tuple[Path, ...]:
    """Where the AWS SDK for JavaScript is looked for: in compute's own folder first, then where npm installs globally."""
    return (folder / "nodejs" / "node_modules", Path("/usr/local/lib/node_modules"), Path("/usr/lib/node_modules"))


def sdk_folder(folders: Iterable[Path]) -> Path | None:
    """The node_modules folder that holds the AWS SDK for JavaScript, or None."""
    return next((folder for folder in folders if (folder / SDK).is_dir()), None)


def _candidates(folders: Iterable[str], home: Path) -> Iterable[Path]:
    for folder in folders:
        for name in ("node", "nodejs"):
            path = Path(folder) / name
            if path.is_file():
                yield path.resolve()
    for pattern in (
        ".nvm/versions/node/v*/bin/node",
        ".local/share/fnm/node-versions/v*/installation/bin/node",
        ".volta/tools/image/node/*/bin/node",
        ".local/share/mise/installs/node/*/bin/node",
        ".asdf/installs/nodejs/*/bin/node",
        "n/n/versions/node/*/bin/node",
    ):
        yield from sorted(home.glob(pattern), key=_numbers, reverse=True)
    for place in ("/usr/local/n/versions/node", "/opt/hostedtoolcache/node"):
        yield from sorted(Path(place).glob("*/**/bin/node"), key=_numbers, reverse=True)


def _numbers(path: Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", str(path))]


def _major(binary: Path) -> int:
    """From the headers installed beside it; asked of the program itself where there are none. 0 when it does not say."""
    try:
        text = (binary.parent.parent / "include" / "node" / "node_version.h").read_text()
    except OSError:
        return _asked(binary)
    match = _HEADER.search(text)
    return int(match[1]) if match else 0


def _asked(binary: Path) -> int:
    argv = [str(binary), "--version"]
    try:
        answer = subprocess.run(argv, capture_output=True, text=True, timeout=_TIMEOUT, check=False)  # noqa: S603 - found above
    except (OSError, subprocess.TimeoutExpired):
        return 0
    match = re.match(r"v(\d+)\.", answer.stdout)
    return int(match[1]) if match else 0
