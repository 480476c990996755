"""`cumulet dev`: a folder becomes a function, and follows what is saved in it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cumulet.cli import source
from cumulet.cli.errors import CliError

CLEAN = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CUMULET_"))}
CODE = "def handler(event, context):\n    return {'version': VERSION, 'file': open('data.txt').read()}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text("VERSION = 1\n" + CODE)
    (tmp_path / "data.txt").write_text("one")
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "app.cpython-311.pyc").write_bytes(b"x")
    return tmp_path


@pytest.fixture
def dev(node: Any, account: str) -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "cumulet", "dev", *arguments, "--account", account]
        environment = CLEAN | {"CUMULET_DATA": str(node.data)}
        process = subprocess.Popen(command, stdout=-1, stderr=subprocess.STDOUT, text=True, env=environment)
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)


def called(functions: Any, name: str) -> Any:
    return json.loads(functions.invoke(FunctionName=name)["Payload"].read())


def test_what_cannot_run_here_or_fails_once_has_an_exit_code(dev: Any, folder: Path) -> None:
    process = dev("lisp", str(folder), "--once", "--runtime", "nodejs24.x", "--handler", "app.handler")
    out, _ = process.communicate(timeout=100)
    if process.returncode:  # this machine lacks it
        assert process.returncode == 1
        assert "cumulet runtimes install nodejs24.x" in out
    (folder / "data.txt").unlink()
    process = dev("bad", str(folder), "--once", "--invoke", "{}", "--runtime", "python3.11", "--handler", "app.handler")
    out, _ = process.communicate(timeout=100)
    assert process.returncode == 4, out
    assert "No such file" in out


def test_a_folder_is_deployed_once(dev: Any, client: Any, folder: Path) -> None:
    process = dev(
        "one",
        str(folder),
        "--once",
        "--env",
        "NAME=b",
        "--timeout",
        "37",
        "--runtime",
        "python3.11",
        "--handler",
        "app.handler",
    )
    out, _ = process.communicate(timeout=100)
    assert process.returncode == 0, out
    assert "one is deployed (python3.11, app.handler, 2 files" in out
    functions = client("lambda")
    assert called(functions, "one") == {"version": 1, "file": "one"}
    configuration = functions.get_function_configuration(FunctionName="one")
    assert (configuration["Timeout"], configuration["Environment"]["Variables"]) == (37, {"NAME": "b"})


def test_what_is_saved_is_deployed_and_loaded(dev: Any, client: Any, folder: Path) -> None:
    process = dev("two", str(folder), "--runtime", "python3.11", "--handler", "app.handler", "--invoke", "{}")
    assert "two is deployed" in process.stdout.readline()
    while "Watching" not in process.stdout.readline():
        pass
    functions = client("lambda")
    for number in (2, 3):
        (folder / "app.py").write_text(f"VERSION = {number}\n" + CODE)
        while "saved; deployed" not in (line := process.stdout.readline()):
            assert line
        while called(functions, "two").get("version") != number:  # half a file may have been deployed first
            assert process.poll() is None
    log = functions.invoke(FunctionName="two", LogType="Tail")
    assert log["StatusCode"] == 200
    (folder / "app.py").write_text("raise ValueError('broken')\n")
    while "cannot be loaded" not in (line := process.stdout.readline()):
        assert line
    (folder / "app.py").write_text("VERSION = 4\n" + CODE)
    while called(functions, "two").get("version") != 4:
        assert process.poll() is None


def test_what_cannot_be_guessed_is_asked_for(dev: Any, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no function here")
    process = dev("three", str(tmp_path), "--once")
    out, _ = process.communicate(timeout=100)
    assert process.returncode == 1
    assert "No handler was found" in out


def test_guesses(tmp_path: Path) -> None:
    runtimes = ["python3.9", "python3.11", "nodejs18.x", "nodejs20.x"]
    (tmp_path / "index.mjs").write_text("export const handler = async (event) => event\n")
    assert source.guess(tmp_path, runtimes) == ("nodejs20.x", "index.handler")
    (tmp_path / "lambda_function.py").write_text("import os\n\ndef lambda_handler(event, context): pass\n")
    assert source.guess(tmp_path, runtimes) == ("python3.11", "lambda_function.lambda_handler")
    with pytest.raises(CliError):
        source.guess(tmp_path, [])


def test_a_package_is_the_same_for_the_same_files(folder: Path) -> None:
    first = source.pack(folder)
    assert first.files == 2
    os.utime(folder / "app.py", (1, 1))
    assert source.pack(folder) == first
    (folder / "data.txt").write_text("two")
    assert source.pack(folder).content != first.content
