"""AWS's client for Java and the JDK of this machine, for tests; what is missing skips them."""

import functools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from cumulet.compute.runtimes import java
from cumulet.compute.runtimes.install import JAVA, NotInstalled, install

SEARCH_PATH = os.environ.get("PATH", os.defpath)


@functools.cache
def client() -> Path | str:
    """A folder with the client, as `cumulet runtimes install java` makes it; why there is none."""
    folder = Path(tempfile.mkdtemp(prefix="cumulet-test-java-"))
    try:
        place = install(JAVA, folder, SEARCH_PATH, lambda _: None)
    except NotInstalled as error:
        return str(error)
    for directory in (folder, *place.parents[:1], place):
        directory.chmod(0o755)
    return place


def give_client(compute_folder: Path) -> None:
    """Put the client where a node with this folder finds it; skips the test where it cannot be had."""
    place = client()
    if isinstance(place, str):
        pytest.skip(f"AWS's client for Java: {place}")
    target = java.client_folder(compute_folder)
    if not target.exists():
        owner = compute_folder.parent.stat()
        for folder in (compute_folder, target.parent):
            folder.mkdir(exist_ok=True)
            os.chown(folder, owner.st_uid, owner.st_gid)
        shutil.copytree(place, target)
        target.chmod(0o755)


def compile_java(source: str, folder: Path) -> None:
    """Compile one file of Java 8 against the client into `folder`."""
    for name, content in _compiled(source).items():
        (folder / name).write_bytes(content)


@functools.cache
def _compiled(source: str) -> dict[str, bytes]:
    compiler = shutil.which("javac")
    place = client()
    if compiler is None:
        pytest.skip("no javac on the PATH")
    if isinstance(place, str):
        pytest.skip(f"AWS's client for Java: {place}")
    name = source.partition("class ")[2].split()[0]
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / f"{name}.java"
        file.write_text(source)
        path = ":".join(map(str, place.glob("*.jar")))
        argv = [compiler, "--release", "8", "-Xlint:-options", "-cp", path, "-d", scratch, str(file)]
        subprocess.run(argv, check=True, capture_output=True)
        return {made.name: made.read_bytes() for made in Path(scratch).glob("*.class")}


def machines() -> dict[int, Path]:
    """The JVMs by major version."""
    return java.virtual_machines(SEARCH_PATH.split(":"), Path.home(), os.environ.get("JAVA_HOME", ""))
