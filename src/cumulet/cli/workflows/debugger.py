"""A step debugger for executions, in a terminal."""

import json
import time
import uuid
from typing import Any

import click

from cumulet.cli.errors import CliError, FunctionFailed
from cumulet.cli.node import RunningNode
from cumulet.cli.output import data as print_data
from cumulet.cli.output import say
from cumulet.cli.workflows.history import Run
from cumulet.cli.workflows.service import Machine, Workflows
from cumulet.cli.workflows.view import View, problem

_POLL = 0.1
_HELP = """  n, next            enter the state, and stop before the next one
  c, continue        go on to the next breakpoint, or to the end
  p, print           show the input and the variables again
  i, input JSON      give the state another input
  s, set NAME JSON   set a variable
  b, break STATE     stop before this state
  d, delete STATE    do not stop before it any more
  k, kill            stop the execution
  q, quit            let it go on, and leave"""
_SHORT = {
    "": "next", "n": "next", "c": "continue", "p": "print", "i": "input", "s": "set", "b": "break", "d": "delete",
    "k": "kill", "q": "quit", "h": "help", "?": "help",
}  # fmt: skip


def execution_of(machine: Machine) -> str:
    """The ARN that a new execution of a machine will have; `begin` starts it. Raises CliError for an Express workflow."""
    if machine.type == "EXPRESS":
        raise CliError(f"{machine.name} is an Express workflow: only executions of Standard ones can be debugged.")
    plain = ":".join(machine.arn.split(":")[:7])
    return f"{plain.replace(':stateMachine:', ':execution:', 1)}:{uuid.uuid4()}"


def begin(workflows: Workflows, machine: Machine, execution: str, text: str) -> None:
    """Start the execution of that ARN."""
    workflows.call("StartExecution", stateMachineArn=machine.arn, name=execution.rpartition(":")[2], input=text)


class Debugger:
    """One execution, and who looks at it. `breaks` are the states it stops before; empty: before every one."""

    def __init__(self, node: RunningNode, workflows: Workflows, execution: str, breaks: list[str]) -> None:
        self._node = node
        self._workflows = workflows
        self._execution = execution
        self._breaks = breaks
        self._view = View(data=False)
        self._run = Run()
        self._history = workflows.events(execution)
        self._edits: dict[str, Any] = {}

    def watch(self, breaks: list[str] | None = None) -> Any:
        """What the node says of the execution; with `breaks`, it stops before those from now on."""
        asked: dict[str, Any] = {"execution": self._execution}
        if breaks is not None:
            asked["breaks"] = breaks
        return self._node.page("/_cumulet/executions/debug", asked)

    def attach(self) -> None:
        """Have it stop from now on."""
        self.watch(self._breaks or ["*"])

    def talk(self) -> None:
        """Stop after stop, until the execution ends or nobody wants to see more of it."""
        try:
            while True:
                seen = self._next_stop()
                if seen["status"] != "RUNNING":
                    break
                if not all(self._at(stop) for stop in seen["stops"]):
                    return
        finally:
            self.watch([])
        self._end()

    def _next_stop(self) -> Any:
        while True:
            seen = self.watch()
            self._show()
            if seen["stops"] or seen["status"] not in ("RUNNING", "NOT_STARTED"):
                return seen
            time.sleep(_POLL)

    def _show(self) -> None:
        for event in next(self._history):
            self._run.add(event)
        self._view.update(self._run)

    def _at(self, stop: Any) -> bool:
        """Ask what to do before a state until it is entered; False when the debugger is to leave."""
        self._edits = {}
        say(click.style(f"→ {stop['state']}", bold=True) + f" ({stop['type']})")
        self._print(stop)
        while True:
            try:
                line = click.prompt("(debug)", default="", show_default=False, prompt_suffix=" ", err=True)
            except click.Abort:
                line = "quit"
            word, _, rest = line.strip().partition(" ")
            command = _SHORT.get(word, word)
            if command == "quit":
                return False
            if command == "kill":
                self._workflows.call("StopExecution", executionArn=self._execution)
                return True
            if command in ("next", "continue"):
                self.watch(["*"] if command == "next" else self._breaks or ["\x00"])
                self._node.page("/_cumulet/executions/step", self._step(stop))
                return True
            self._command(command, rest.strip(), stop)

    def _step(self, stop: Any) -> dict[str, Any]:
        return {"execution": self._execution, "stop": stop["frame"], **self._edits}

    def _command(self, command: str, rest: str, stop: Any) -> None:
        try:
            if command == "print":
                self._print(stop)
            elif command == "input":
                stop["input"] = json.loads(rest)
                self._edits["input"] = rest
            elif command == "set":
                name, _, value = rest.partition(" ")
                stop["variables"][name] = json.loads(value)
                self._edits.setdefault("variables", {})[name] = stop["variables"][name]
            elif command == "break":
                self._breaks.append(rest)
            elif command == "delete":
                self._breaks.remove(rest)
            else:
                say(_HELP)
        except ValueError as error:
            say(f"That is no JSON, or no breakpoint ({error}).")

    def _print(self, stop: Any) -> None:
        say(f"  input      {json.dumps(stop['input'], ensure_ascii=False)}")
        for name, value in stop["variables"].items():
            say(f"  ${name}  {json.dumps(value, ensure_ascii=False)}")

    def _end(self) -> None:
        while self._run.status == "RUNNING":
            self._show()
        if self._run.output is not None:
            print_data(self._run.output)
        if self._run.status != "SUCCEEDED":
            reason = problem(self._run.error, self._run.cause)
            raise FunctionFailed(f"The execution {self._run.status}{f': {reason}' if reason else ''}.")
