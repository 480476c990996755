"""Ruby runtimes: the interpreters of this machine, with a runtime client of ours (`inside/ruby`).

An interpreter starts with its function: it takes some 50 ms, and shares nothing with a zygote.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cumulet.compute.runtimes import command
from cumulet.compute.runtimes.runtime import Channel, Launch, Runtime

VERSIONS = ("3.2", "3.3", "3.4", "4.0")
_INSIDE = Path(__file__).parent / "inside" / "ruby"
_RUNTIME = "/var/runtime"
_MAIN = "runtime.rb"
_PREFIX = "/var/lang"
_SYSTEM = frozenset({Path("/usr"), Path("/usr/local"), Path("/")})
_COVERED = tuple(Path(folder) for folder in ("/tmp", "/opt", "/mnt", "/proc", "/dev", "/var/task"))  # noqa: S108 - inside
"""Where something else is mounted inside."""


class RubyRuntime:
    """One version. Its files are at the same place inside as outside, which is compiled into most interpreters; those that
    cannot be there are at /var/lang, and told where to look."""

    channel: Channel = "http"
    forked = False
    lean = None
    growth: Mapping[str, object] = {}
    start: Mapping[str, object] = {}

    def __init__(self, version: str, interpreter: Path) -> None:
        self.name = self.zygote = self.blank = f"ruby{version}"
        self.path = str(interpreter)
        self._version = version
        self._interpreter = interpreter
        self._outside = interpreter.parent.parent
        moved = any(self._outside.is_relative_to(folder) for folder in _COVERED)
        self._prefix = Path(_PREFIX) if moved else self._outside

    def for_function(self, memory_mb: int, environment: Mapping[str, str]) -> Runtime:
        del memory_mb, environment
        return self

    def launch(self) -> Launch:
        binds = [] if self._outside in _SYSTEM else [(str(self._outside), str(self._prefix))]
        binds += [(str(file), f"{_RUNTIME}/{file.name}") for file in sorted(_INSIDE.glob("*.rb"))]
        return Launch(binds=binds, module=command.MODULE)

    def assignment(self, handler: str, code: str, environment: Mapping[str, str]) -> Mapping[str, object]:
        del code
        argv = self._argv(str(self._prefix / "bin" / self._interpreter.name), f"{_RUNTIME}/{_MAIN}")
        return {"handler": handler, "frames": False, **command.wrapped(argv, environment)}

    def alone(self, code: str, layers: Sequence[str]) -> dict[str, Any]:
        above = list(reversed(layers))
        gems = [f"{code}/vendor/bundle/ruby/{self._abi}", *(f"{layer}/ruby/gems/{self._abi}" for layer in above)]
        libraries = [code, *(f"{layer}/ruby/lib" for layer in above)]
        return {
            "programs": [self.path],
            "arguments": self._argv(self.path, str(_INSIDE / _MAIN))[1:],
            "variables": {
                "GEM_HOME": code,
                "GEM_PATH": ":".join([*gems, f"{self._outside}/lib/ruby/gems/{self._abi}"]),
                "RUBYLIB": ":".join(libraries),
            },
        }

    def launch_alone(self) -> Sequence[str]:
        return command.launch_alone()

    def variables(self) -> Mapping[str, str]:
        library = f"{self._prefix}/lib/ruby"
        gems = [
            f"/var/task/vendor/bundle/ruby/{self._abi}",
            f"/opt/ruby/gems/{self._abi}",
            f"{library}/gems/{self._abi}",
        ]
        libraries = ["/var/task", "/var/runtime/lib", "/opt/ruby/lib"]
        if self._prefix != self._outside:
            libraries += [f"{library}/{self._abi}", *(f"{library}/{self._abi}/{name}" for name in self._architectures)]
        return {
            "PATH": f"{self._prefix}/bin:/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin",
            "LD_LIBRARY_PATH": "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib",
            "GEM_HOME": "/var/runtime",
            "GEM_PATH": ":".join(gems),
            "RUBYLIB": ":".join(libraries),
            "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001",
        }

    @property
    def _abi(self) -> str:
        """What Ruby calls the folders of a version."""
        return f"{self._version}.0"

    @property
    def _architectures(self) -> list[str]:
        """The folders of its library with what is compiled."""
        library = self._outside / "lib" / "ruby" / self._abi
        return sorted(file.parent.name for file in library.glob("*/rbconfig.rb"))

    def _argv(self, program: str, main: str) -> list[str]:
        # As on Lambda, where LANG's locale exists
        return [program, "-Eutf-8", main]


def find(folders: Sequence[str], home: Path) -> dict[str, RubyRuntime]:
    """The interpreters of this machine by runtime identifier; none is started to find out."""
    found: dict[str, RubyRuntime] = {}
    for version in VERSIONS:
        interpreter = next((path for path in _candidates(version, folders, home) if _is(path, version)), None)
        if interpreter is not None:
            found[f"ruby{version}"] = RubyRuntime(version, interpreter.resolve())
    return found


def _candidates(version: str, folders: Sequence[str], home: Path) -> Iterable[Path]:
    for folder in folders:
        yield Path(folder) / f"ruby{version}"
        yield Path(folder) / "ruby"
    for pattern in (
        f".rbenv/versions/{version}.*/bin/ruby",
        f".rvm/rubies/ruby-{version}.*/bin/ruby",
        f".rubies/ruby-{version}.*/bin/ruby",
        f".local/share/mise/installs/ruby/{version}*/bin/ruby",
        f".asdf/installs/ruby/{version}.*/bin/ruby",
    ):
        yield from sorted(home.glob(pattern), key=_numbers, reverse=True)
    for place in ("/opt/rubies", "/opt/hostedtoolcache/Ruby"):
        found = [*Path(place).glob(f"ruby-{version}.*/bin/ruby"), *Path(place).glob(f"{version}.*/x64/bin/ruby")]
        yield from sorted(found, key=_numbers, reverse=True)


def _numbers(path: Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", str(path))]


def _is(interpreter: Path, version: str) -> bool:
    """A real interpreter of this version: its library is beside it, and only its, or it says its version in its name."""
    try:
        if not interpreter.is_file():  # as most candidates; to resolve one takes ten times as long
            return False
        real = interpreter.resolve()
        libraries = real.parent.parent / "lib" / "ruby"
        if not _has(libraries, version):
            return False
    except OSError:
        return False
    others = [other for other in VERSIONS if other != version and _has(libraries, other)]
    return not others or real.name == f"ruby{version}"


def _has(libraries: Path, version: str) -> bool:
    return (libraries / f"{version}.0" / "json.rb").is_file()
