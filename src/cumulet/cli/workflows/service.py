"""Step Functions as the commands call it."""

import hashlib
import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cumulet.cli.api_call import ApiError, Caller
from cumulet.cli.errors import CliError
from cumulet.cli.workflows.history import Run

_TARGET = "AWSStepFunctions."
_MACHINE = re.compile(r"arn:[^:]*:states:[^:]*:\d{12}:stateMachine:.+")
_EXECUTION = re.compile(r"arn:[^:]*:states:[^:]*:\d{12}:execution:.+")
_ACCOUNT = re.compile(rb"<Account>(\d{12})</Account>")
_PAGE = 1_000
_SHORT, _LONG = 0.05, 0.5


@dataclass(frozen=True)
class Machine:
    """A state machine. `definition` is its text."""

    arn: str
    name: str
    type: str
    definition: str


class Workflows:
    """Calls for one caller."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def call(self, operation: str, **request: Any) -> Any:
        """An operation of Step Functions; raises ApiError."""
        return self._caller.json("states", _TARGET + operation, request)

    def account(self) -> str:
        """Whose machines they are."""
        headers = {"content-type": "application/x-www-form-urlencoded"}
        body = self._caller.send("sts", "/", b"Action=GetCallerIdentity&Version=2011-06-15", headers).body
        found = _ACCOUNT.search(body)
        if found is None:
            raise CliError("The node does not say which account this is: name one with --account.")
        return found[1].decode()

    def machine(self, text: str) -> Machine:
        """The machine of an ARN (also of a version or alias) or a name. Raises CliError."""
        arn = text if _MACHINE.fullmatch(text) else self._arn(text)
        try:
            found = self.call("DescribeStateMachine", stateMachineArn=arn)
        except ApiError as error:
            if error.code == "StateMachineDoesNotExist":
                raise CliError(
                    f"There is no state machine {text} here: see `cumulet aws stepfunctions list-state-machines`."
                ) from None
            raise
        return Machine(arn, found["name"], found["type"], found["definition"])

    def _arn(self, name: str) -> str:
        plain, _, qualifier = name.partition(":")
        page: dict[str, Any] = {"maxResults": _PAGE}
        while True:
            answer = self.call("ListStateMachines", **page)
            for item in answer["stateMachines"]:
                if item["name"] == plain:
                    return f"{item['stateMachineArn']}:{qualifier}" if qualifier else str(item["stateMachineArn"])
            if not answer.get("nextToken"):
                raise CliError(
                    f"There is no state machine {name} here, and no file of that name: "
                    "see `cumulet aws stepfunctions list-state-machines`."
                )
            page["nextToken"] = answer["nextToken"]

    @contextmanager
    def made(self, file: Path, type: str, role: str | None) -> Iterator[Machine]:
        """A machine of the definition in a file, for as long as it is needed."""
        definition = definition_in(file)
        mark = hashlib.sha256(f"{file.absolute()}{time.time_ns()}".encode()).hexdigest()[:8]
        stem = re.sub(r"[^\w-]", "-", file.name.partition(".")[0])[:50] or "machine"
        name = f"{stem}-{mark}"
        role = role or f"arn:aws:iam::{self.account()}:role/cumulet-run"
        made = self.call("CreateStateMachine", name=name, definition=definition, roleArn=role, type=type)
        try:
            yield Machine(made["stateMachineArn"], name, type, definition)
        finally:
            self.call("DeleteStateMachine", stateMachineArn=made["stateMachineArn"])

    def events(self, execution: str) -> Iterator[list[dict[str, Any]]]:
        """The history, in parts as it grows, for as long as one asks; each part holds events that were not there before."""
        request: dict[str, Any] = {"executionArn": execution, "maxResults": _PAGE}
        seen = 0
        while True:
            answer = self.call("GetExecutionHistory", **request)
            fresh = [event for event in answer["events"] if event["id"] > seen]
            seen = max([seen, *(event["id"] for event in fresh)])
            yield fresh
            if answer.get("nextToken"):
                request["nextToken"] = answer["nextToken"]

    def follow(self, execution: str) -> Iterator[Run]:
        """The run as it goes on, until it has ended; again and again the same object."""
        run = Run()
        pause = _SHORT
        for events in self.events(execution):
            for event in events:
                run.add(event)
            yield run
            if run.status != "RUNNING":
                return
            pause = _SHORT if events else min(_LONG, pause * 1.5)
            time.sleep(pause)

    def run_of(self, execution: str) -> Run:
        """The run as far as it has come."""
        run = Run()
        for events in self.events(execution):
            for event in events:
                run.add(event)
            if len(events) < _PAGE:
                return run
        return run


def is_execution(text: str) -> bool:
    """Whether it is the ARN of an execution."""
    return _EXECUTION.fullmatch(text) is not None


def definition_in(file: Path) -> str:
    """The definition that a file holds, which is JSON. Raises CliError."""
    try:
        text = file.read_text()
    except OSError as error:
        raise CliError(f"{file} cannot be read ({error.strerror}).") from None
    try:
        json.loads(text)
    except ValueError as error:
        raise CliError(f"{file} holds no definition: it is not JSON ({error}).") from None
    return text


def is_file(text: str) -> bool:
    """Whether a file is meant, rather than a machine's name."""
    return not text.startswith("arn:") and Path(text).is_file()
