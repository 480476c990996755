"""The greetings of examples/languages, built by their own tools and run end to end."""

import base64
import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "languages"
BUILT = ROOT / "build" / "languages"
_UNREACHABLE = ("could not resolve", "dial tcp", "unknown host", "network", "could not transfer", "failed to download")

Build = Callable[[Path], dict[str, bytes]]
"""Builds a copy of an example; gives the files of its package."""


def go(folder: Path) -> dict[str, bytes]:
    argv = [_tool("go"), "build", "-trimpath", "-tags", "lambda.norpc", "-o", "bootstrap", "."]
    _run(argv, folder, CGO_ENABLED="0")
    return {"bootstrap": (folder / "bootstrap").read_bytes()}


def rust(folder: Path) -> dict[str, bytes]:
    if not os.environ.get("CUMULET_TEST_RUST"):
        pytest.skip("compiling AWS's client for Rust takes minutes: set CUMULET_TEST_RUST=1")
    target = BUILT / "rust"
    _run([_tool("cargo"), "build", "--quiet", "--target-dir", str(target)], folder)
    return {"bootstrap": (target / "debug" / "bootstrap").read_bytes()}


def java(folder: Path) -> dict[str, bytes]:
    _run([_tool("mvn"), "--batch-mode", "--quiet", "package"], folder)
    return {"lib/greet.jar": (folder / "target" / "greet-1.jar").read_bytes()}


def shell(folder: Path) -> dict[str, bytes]:
    _tool("curl")
    return {"bootstrap": (folder / "bootstrap").read_bytes()}


def _tool(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"no {name} on the PATH")
    return path


def _run(argv: list[str], folder: Path, **environment: str) -> None:
    done = subprocess.run(
        argv, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    said = (done.stdout + done.stderr).lower()
    if done.returncode and any(text in said for text in _UNREACHABLE):
        pytest.skip(f"{argv[0]}: its registry cannot be reached")
    assert done.returncode == 0, done.stdout + done.stderr


def _package(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = 0o100755 << 16
            archive.writestr(entry, content)
    return out.getvalue()


def _install_java(node: Any) -> None:
    argv = [sys.executable, "-m", "cumulet", "runtimes", "install", "java", "--data", str(node.data)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(done.stderr)


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("build", "runtime", "handler"),
    [
        (shell, "provided.al2023", "unused"),
        (go, "provided.al2023", "bootstrap"),
        (java, "java17", "example.Greet"),
        (rust, "provided.al2023", "bootstrap"),
    ],
    ids=["shell", "go", "java", "rust"],
)
def test_a_function_greets(
    node: Any, client: Callable[..., Any], account: str, tmp_path: Path, build: Build, runtime: str, handler: str
) -> None:
    folder = tmp_path / build.__name__
    shutil.copytree(EXAMPLES / build.__name__, folder)
    package = _package(build(folder))
    if build is java:
        _install_java(node)
    functions = client("lambda")
    functions.create_function(
        FunctionName="greet",
        Runtime=runtime,
        Handler=handler,
        Role=f"arn:aws:iam::{account}:role/greet",
        Code={"ZipFile": package},
        MemorySize=256,
        Timeout=60,
    )
    try:
        functions.get_waiter("function_active_v2").wait(FunctionName="greet", WaiterConfig={"Delay": 1})
        answer = functions.invoke(FunctionName="greet", Payload=json.dumps({"name": "Ada"}), LogType="Tail")
    except ClientError as error:
        pytest.skip(str(error)) if build is java and "nothing that runs" in str(error) else pytest.fail(str(error))
    assert "FunctionError" not in answer, answer["Payload"].read()
    request = answer["ResponseMetadata"]["RequestId"]
    assert json.loads(answer["Payload"].read()) == {"message": "Hello Ada", "function": "greet", "request": request}
    assert "greeting Ada" in base64.b64decode(answer["LogResult"]).decode()
    failed = functions.invoke(FunctionName="greet", Payload=b"{}")
    assert failed["FunctionError"] == "Unhandled"
    assert json.loads(failed["Payload"].read())["errorMessage"] == "nobody to greet"
