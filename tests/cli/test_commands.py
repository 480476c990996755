"""The command line as a user meets it: its own process, its exit codes, what goes to which stream."""

import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cumulet.cli.node import is_running

Run = Callable[..., "subprocess.CompletedProcess[str]"]
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CUMULET_"))}


def _cumulet(*arguments: str, stdin: str = "", **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "cumulet", *arguments],
        input=stdin,
        check=False,
        capture_output=True,
        text=True,
        timeout=100,
        env=CLEAN | environment,
    )


@pytest.fixture
def run(node: Any) -> Run:
    """Runs a command about the session's node."""
    return lambda *arguments, **more: _cumulet(*arguments, CUMULET_DATA=str(node.data), **more)


@pytest.fixture(scope="session")
def python_function() -> bytes:
    """A package whose function greets, or fails when asked to."""
    code = "def handler(event, context):\n    print('hello log')\n    return {'name': event['name']}\n"
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("app.py", code)
    return package.getvalue()


@pytest.fixture
def function(client: Callable[..., Any], python_function: bytes) -> str:
    """A function in the test's account."""
    role = client("iam").create_role(RoleName="r", AssumeRolePolicyDocument=_trust())["Role"]["Arn"]
    functions = client("lambda")
    functions.create_function(
        FunctionName="greet",
        Runtime=f"python3.{sys.version_info.minor}",
        Handler="app.handler",
        Role=role,
        Timeout=30,
        Code={"ZipFile": python_function},
    )
    functions.get_waiter("function_active_v2").wait(FunctionName="greet", WaiterConfig={"Delay": 1})
    return "greet"


def _trust() -> str:
    principal = {"Service": "lambda.amazonaws.com"}
    statement = [{"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}]
    return json.dumps({"Version": "2012-10-17", "Statement": statement})


def test_version_and_help_name_every_command() -> None:
    assert _cumulet("--version").stdout == "cumulet 0.1.0\n"
    shown = _cumulet("--help").stdout
    for name in ("up", "down", "status", "wait", "reset", "doctor", "env", "profile", "aws", "invoke", "logs"):
        assert f"  {name} " in shown
    assert "--follow" in _cumulet("logs", "--help").stdout


@pytest.mark.parametrize("arguments", [["--nope"], ["up", "--nope"], ["up", "--port", "99999"], ["nope"]])
def test_wrong_usage_is_one_line_and_exit_code_2(arguments: list[str]) -> None:
    ended = _cumulet(*arguments)
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert "--help" in ended.stderr


def test_settings_that_cannot_be_are_exit_code_2(tmp_path: Path) -> None:
    for arguments, environment in (
        (["--host", "0.0.0.0"], {}),
        ([], {"CUMULET_PORT": "many"}),
        (["--port", "0", "--limit", "lambda.tomeout=1"], {}),
    ):
        ended = _cumulet("up", "--data", str(tmp_path), *arguments, **environment)
        assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)


def test_an_account_takes_twelve_digits(run: Run) -> None:
    ended = run("invoke", "f", "--account", "12")
    assert ended.returncode == 2
    assert "twelve digits" in ended.stderr


@pytest.mark.parametrize(
    "arguments", [["status"], ["down"], ["env"], ["wait", "--timeout", "0"], ["invoke", "f"], ["aws", "s3", "ls"]]
)
def test_without_a_node_commands_say_so_with_exit_code_3(arguments: list[str], tmp_path: Path) -> None:
    ended = _cumulet(*arguments, CUMULET_DATA=str(tmp_path))
    assert ended.returncode == 3
    assert ended.stdout == ""
    assert "cumulet up" in ended.stderr


def test_an_address_without_a_node_is_exit_code_3_and_no_address_2(tmp_path: Path) -> None:
    with socket.socket() as held:  # which does not listen, and keeps others from doing so
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        ended = _cumulet("status", CUMULET_ENDPOINT=f"http://127.0.0.1:{port}")
    assert (ended.returncode, ended.stderr.count("\n")) == (3, 1)
    assert f"127.0.0.1:{port}" in ended.stderr
    for command in (["status"], ["wait", "--timeout", "0"]):
        ended = _cumulet(*command, CUMULET_ENDPOINT="nowhere")
        assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)


def test_a_busy_port_says_who_holds_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        ended = _cumulet("up", "--data", str(tmp_path / "d"), "--port", str(port))
    assert ended.returncode == 1
    assert f"127.0.0.1:{port}" in ended.stderr
    assert f"held by process {os.getpid()}" in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_a_folder_in_use_or_unwritable_is_refused(node: Any, tmp_path: Path) -> None:
    ended = _cumulet("up", "--data", str(node.data), "--port", "0")
    assert ended.returncode == 1
    assert f"in use by another node (process {node.process.pid})" in ended.stderr
    (tmp_path / "file").touch()
    ended = _cumulet("up", "--data", str(tmp_path / "file" / "data"), "--port", "0")
    assert ended.returncode == 1
    assert "cannot be written" in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_a_detached_node_comes_up_shows_itself_and_goes_down(tmp_path: Path) -> None:
    folder = str(tmp_path / "data")
    started = _cumulet("up", "-d", "--port", "0", "--data", folder)
    assert started.returncode == 0, started.stderr
    assert started.stdout == ""
    lines = started.stderr.splitlines()
    assert lines[-1] == "Ready."
    for word in ("data", "isolation", "runtimes", "endpoint", "next"):
        assert any(line.split()[:1] == [word] for line in lines)
    assert _cumulet("wait", "--data", folder).returncode == 0

    again = _cumulet("up", "-d", "--port", "0", "--data", folder)
    assert again.returncode == 1
    assert "in use by another node" in again.stderr

    kept = json.loads(_cumulet("status", "--json", "--data", folder).stdout)
    assert Path(folder, "records").is_dir()
    ended = _cumulet("reset", "--yes", "--data", folder)
    assert ended.returncode == 0, ended.stderr
    assert list(Path(folder).iterdir()) == []
    assert not is_running(kept["pid"])


def test_a_signal_ends_a_node_in_the_foreground(start_node: Callable[..., Any]) -> None:
    node = start_node()
    node.process.send_signal(signal.SIGINT)
    assert node.process.wait(60) == 0
    assert not (node.data / "node.json").exists()
    assert _cumulet("down", "--data", str(node.data)).returncode == 3


def test_reset_asks_and_deletes_nothing_without_a_yes(start_node: Callable[..., Any], tmp_path: Path) -> None:
    node = start_node()
    folder = str(node.data)
    assert _cumulet("reset", "--data", folder, stdin="n\n").returncode == 130
    assert node.process.poll() is None
    assert (node.data / "key").exists() or (node.data / "lock").exists()
    (tmp_path / "photo.jpg").touch()
    assert _cumulet("reset", "--yes", "--data", str(tmp_path)).returncode == 1
    assert (tmp_path / "photo.jpg").exists()
    node.stop()


def test_env_is_data_for_a_shell_or_a_program(run: Run, node: Any, account: str) -> None:
    values = json.loads(run("env", "--json", "--account", account).stdout)
    assert values["AWS_ENDPOINT_URL"] == node.endpoint
    assert values["AWS_ACCESS_KEY_ID"] == account
    assert f"export AWS_ENDPOINT_URL={node.endpoint}\n" in run("env").stdout
    assert f"set -gx AWS_ENDPOINT_URL {node.endpoint};" in run("env", "--shell", "fish").stdout
    assert f"$Env:AWS_ENDPOINT_URL = '{node.endpoint}'" in run("env", "--shell", "powershell").stdout
    assert run("env", "--account", "12").returncode == 2


def test_status_shows_the_node(run: Run, node: Any) -> None:
    status = json.loads(run("status", "--json").stdout)
    assert status["pid"] == node.process.pid
    assert node.endpoint in run("status").stdout


def test_a_profile_is_written_after_a_yes(run: Run, node: Any, tmp_path: Path) -> None:
    files = {
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
    }
    (tmp_path / "config").write_text("# mine\n[default]\nregion = eu-west-1\n")
    assert run("profile", stdin="n\nn\n", **files).returncode == 0
    assert (tmp_path / "config").read_text() == "# mine\n[default]\nregion = eu-west-1\n"
    assert "[profile cumulet]" in run("profile", "--print", **files).stdout
    assert run("profile", "--yes", **files).returncode == 0
    assert run("profile", "--yes", "--account", "123456789012", **files).returncode == 0
    config = (tmp_path / "config").read_text()
    assert config.startswith("# mine\n[default]\nregion = eu-west-1\n")
    assert config.count("[profile cumulet]") == 1
    assert f"endpoint_url = {node.endpoint}" in config
    assert "aws_access_key_id = 123456789012" in (tmp_path / "credentials").read_text()
    assert (tmp_path / "credentials").stat().st_mode & 0o077 == 0


def test_aws_runs_the_aws_cli_against_the_node(run: Run, account: str) -> None:
    ended = run("aws", "sts", "get-caller-identity", "--output", "json", CUMULET_ACCOUNT=account, AWS_PROFILE="none")
    assert json.loads(ended.stdout)["Account"] == account, ended.stderr
    queues = run("aws", "sqs", "create-queue", "--queue-name", "orders", "--output", "json", CUMULET_ACCOUNT=account)
    assert json.loads(queues.stdout)["QueueUrl"].endswith(f"/{account}/orders"), queues.stderr


def test_invoke_prints_the_result_and_the_log_apart(run: Run, function: str, account: str) -> None:
    ended = run("invoke", function, '{"name": "Ann"}', "--account", account)
    assert (ended.returncode, json.loads(ended.stdout)) == (0, {"name": "Ann"})
    assert "hello log" in ended.stderr
    assert "REPORT RequestId" in ended.stderr
    from_stdin = run("invoke", function, "-", "--account", account, "--json", stdin='{"name": "Ben"}')
    assert json.loads(from_stdin.stdout)["result"] == {"name": "Ben"}


def test_a_function_that_fails_is_exit_code_4(run: Run, function: str, account: str) -> None:
    ended = run("invoke", function, "{}", "--account", account)
    assert ended.returncode == 4
    assert json.loads(ended.stdout)["errorType"] == "KeyError"
    assert "Unhandled" in ended.stderr


def test_invoke_refuses_what_is_no_json_and_names_what_is_missing(run: Run, account: str) -> None:
    assert run("invoke", "f", "{nope").returncode == 2
    assert run("invoke", "f", "@/nowhere.json").returncode == 2
    ended = run("invoke", "none", "--account", account)
    assert ended.returncode == 1
    assert "ResourceNotFoundException" in ended.stderr


def test_cost_shows_workflows(run: Run, node: Any, account: str) -> None:
    states = node.client("stepfunctions", account)
    definition = '{"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Succeed"}}}'
    role = f"arn:aws:iam::{account}:role/r"
    machine = states.create_state_machine(name="orders", definition=definition, roleArn=role)["stateMachineArn"]
    execution = states.start_execution(stateMachineArn=machine)["executionArn"]
    while states.describe_execution(executionArn=execution)["status"] == "RUNNING":
        time.sleep(0.05)
    ended = run("cost", "orders", "--account", account)
    titles, line = ended.stdout.splitlines()
    assert titles.split() == ["STATE", "MACHINE", "TRANSITIONS", "EXPRESS", "GB-SECONDS", "COST"]
    assert line.split() == ["orders", "2", "0", "0.000", "$0.00005000"]
    assert "https://aws.amazon.com/step-functions/pricing/" in ended.stderr
    told = json.loads(run("cost", "--account", account, "--json").stdout)
    assert told["lines"] == []
    assert told["workflows"]["lines"][0]["transitions"] == 2


def test_cost_shows_what_was_used(run: Run, function: str, account: str) -> None:
    for _ in range(3):
        run("invoke", function, '{"name": "Ann"}', "--account", account)
    ended = run("cost", function, "--account", account)
    titles, line, total = ended.stdout.splitlines()
    assert titles.split() == ["FUNCTION", "REQUESTS", "GB-SECONDS", "PROVISIONED", "COST"]
    assert line.split()[:2] == [function, "3"]
    assert total.split()[:2] == ["all", "3"]
    assert "free tier" in ended.stderr
    told = json.loads(run("cost", "--account", account, "--json").stdout)
    [item] = told["lines"]
    assert (item["function"], item["requests"]) == (function, 3)
    assert item["total"] == pytest.approx(item["costs"]["requests"] + item["costs"]["compute"])
    assert item["costs"]["requests"] == pytest.approx(6e-7)
    assert run("cost", "nothing").returncode == 1
    assert run("cost", "--since", "yesterday").returncode == 2


def test_logs_of_a_function_and_of_a_group(run: Run, function: str, account: str) -> None:
    run("invoke", function, '{"name": "Ann"}', "--account", account)
    mine = ["--account", account]
    lines: list[str] = []
    deadline = time.monotonic() + 60
    while not any("REPORT RequestId" in line for line in lines):
        assert time.monotonic() < deadline, lines
        lines = run("logs", function, *mine).stdout.splitlines()
    assert [line.partition(" ")[2].split()[0] for line in lines][-4:] == ["START", "hello", "END", "REPORT"]
    [event] = [
        json.loads(line)
        for line in run("logs", f"/aws/lambda/{function}", "--json", "--filter", "hello", *mine).stdout.splitlines()
    ]
    assert event["message"].strip() == "hello log"
    assert run("logs", "none", *mine).returncode == 1
    assert run("logs", function, "--since", "soon", *mine).returncode == 2


def test_following_a_log_prints_what_comes(node: Any, client: Callable[..., Any], account: str) -> None:
    logs = client("logs")
    command = [sys.executable, "-m", "cumulet", "logs", "/app/x", "-f", "--account", account]
    environment = CLEAN | {"CUMULET_DATA": str(node.data), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        logs.create_log_group(logGroupName="/app/x")
        logs.create_log_stream(logGroupName="/app/x", logStreamName="s")
        now = logs.describe_log_groups()["logGroups"][0]["creationTime"]
        for number in range(2):
            event = {"timestamp": now + number, "message": f"line {number}"}
            logs.put_log_events(logGroupName="/app/x", logStreamName="s", logEvents=[event])
            assert process.stdout is not None
            assert process.stdout.readline().rstrip().endswith(f"line {number}")
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130


def test_doctor_says_what_the_machine_can_do(run: Run) -> None:
    found = json.loads(run("doctor", "--json").stdout)
    assert found["isolation"]["name"] in ("full", "rootless", "process")
    assert found["problems"] == []
    assert "isolation: " in run("doctor", NO_COLOR="1").stdout
