"""`cumulet test`: run the test cases of a mock configuration."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from cumulet.cli.api_call import ApiError, Caller, with_caller_options
from cumulet.cli.errors import CliError
from cumulet.cli.node import data_option, find_node
from cumulet.cli.output import data as print_data
from cumulet.cli.output import say
from cumulet.cli.workflows.history import Run
from cumulet.cli.workflows.service import Machine, Workflows, definition_in
from cumulet.cli.workflows.view import duration, problem

_EXPECTED = ("Input", "Status", "Output", "Error", "States")


@dataclass(frozen=True)
class _Outcome:
    """A test case that was run. `failures` say what was not as expected."""

    machine: str
    case: str
    status: str
    seconds: float
    failures: tuple[str, ...]


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@data_option
@with_caller_options
@click.option(
    "-d",
    "--definition",
    "definitions",
    multiple=True,
    metavar="MACHINE=FILE",
    help="The definition of a machine that the node does not have; it is made for the tests. May be repeated.",
)
@click.option("--case", "only", help="Run the test case of this name alone.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object for each test case.")
def test(
    file: Path,
    data: Path | None,
    account: str | None,
    region: str,
    definitions: tuple[str, ...],
    only: str | None,
    as_json: bool,
) -> None:
    """Run the test cases in FILE, a mock configuration as of AWS Step Functions Local (MockConfigFile.json).

    A case passes when its execution succeeds, or ends as FILE says beside AWS's own fields:
    "Expectations": {MACHINE: {CASE: {"Input": ..., "Status": ..., "Output": ..., "Error": ..., "States": [...]}}}. Exit code 1 when
    a case fails.
    """
    configuration = _read(file)
    node = find_node(data)
    workflows = Workflows(Caller.from_options(node, account, region))
    owner = workflows.account()
    cases = node.page("/_cumulet/mocks", {"account": owner, "configuration": configuration})["cases"]
    cases = [case for case in cases if only in (None, case["case"])]
    if not cases:
        raise CliError(f"{file} has no test case{f' {only}' if only else ''}.")
    made: list[str] = []
    outcomes = []
    try:
        machines = _machines(workflows, owner, {case["machine"] for case in cases}, definitions, made)
        for case in cases:
            outcome = _run(workflows, machines[case["machine"]], case["case"], configuration)
            outcomes.append(outcome)
            _show(outcome, as_json=as_json)
    finally:
        for arn in made:
            workflows.call("DeleteStateMachine", stateMachineArn=arn)
        node.page("/_cumulet/mocks", {"account": owner})
    failed = sum(bool(outcome.failures) for outcome in outcomes)
    say(f"{len(outcomes) - failed} passed, {failed} failed.")
    if failed:
        raise SystemExit(CliError.exit_code)


def _read(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise CliError(f"{file} cannot be read ({error}).") from None
    if not isinstance(found, dict):
        raise CliError(f"{file} holds no mock configuration: it is not a JSON object.")
    expectations = found.get("Expectations", {})
    for machine, cases in expectations.items():
        for case, expected in cases.items():
            unknown = [name for name in expected if name not in _EXPECTED]
            if unknown:
                raise CliError(
                    f"The expectations of {machine}, {case}, have {unknown[0]}: known are {', '.join(_EXPECTED)}."
                )
    return found


def _machines(
    workflows: Workflows, account: str, names: set[str], definitions: tuple[str, ...], made: list[str]
) -> dict[str, Machine]:
    """The machines by name: those that the node has, and those made of files, whose ARNs are added to `made`."""
    files = dict(text.partition("=")[::2] for text in definitions)
    unknown = files.keys() - names
    if unknown:
        raise CliError(f"No test case is about a machine {min(unknown)}: there are {', '.join(sorted(names))}.")
    role = f"arn:aws:iam::{account}:role/cumulet-test"
    for name, file in files.items():
        definition = definition_in(Path(file))
        try:
            arn = workflows.call("CreateStateMachine", name=name, definition=definition, roleArn=role)[
                "stateMachineArn"
            ]
        except ApiError as error:
            if error.code == "StateMachineAlreadyExists":
                raise CliError(
                    f"The node has a state machine {name} already: test that, without --definition."
                ) from None
            raise
        made.append(arn)
    return {name: workflows.machine(name) for name in names}


def _run(workflows: Workflows, machine: Machine, case: str, configuration: dict[str, Any]) -> _Outcome:
    expected = configuration.get("Expectations", {}).get(machine.name, {}).get(case, {})
    request = {"stateMachineArn": f"{machine.arn}#{case}", "input": json.dumps(expected.get("Input", {}))}
    if machine.type == "EXPRESS":
        ended = workflows.call("StartSyncExecution", **request)
        run = Run(ended["status"], ended.get("output"), ended.get("error", ""), ended.get("cause", ""))
        seconds = ended["stopDate"] - ended["startDate"]
    else:
        execution = workflows.call("StartExecution", **request)["executionArn"]
        run = list(workflows.follow(execution))[-1]
        times = [time for visit in run.visits.values() for time in (visit.entered, visit.left) if time is not None]
        seconds = max(times) - min(times) if times else 0.0
    return _Outcome(machine.name, case, run.status, seconds, tuple(_differences(run, expected)))


def _differences(run: Run, expected: dict[str, Any]) -> list[str]:
    """What was not as expected."""
    found = []
    wanted = expected.get("Status", "FAILED" if "Error" in expected else "SUCCEEDED")
    if run.status != wanted:
        reason = problem(run.error, run.cause)
        found.append(f"status {run.status}, not {wanted}{f' ({reason})' if reason else ''}")
    if "Error" in expected and run.error != expected["Error"]:
        found.append(f"error {run.error or 'none'}, not {expected['Error']}")
    if "Output" in expected:
        output = None if run.output is None else json.loads(run.output)
        if output != expected["Output"]:
            found.append(f"output {json.dumps(output)}, not {json.dumps(expected['Output'])}")
    if "States" in expected:
        states = [visit.state for visit in run.visits.values()]
        if states != expected["States"]:
            found.append(f"states {', '.join(states)}, not {', '.join(expected['States'])}")
    return found


def _show(outcome: _Outcome, *, as_json: bool) -> None:
    if as_json:
        print_data(
            json.dumps(
                {
                    "machine": outcome.machine,
                    "case": outcome.case,
                    "passed": not outcome.failures,
                    "status": outcome.status,
                    "seconds": round(outcome.seconds, 6),
                    "failures": list(outcome.failures),
                }
            )
        )
        return
    mark = click.style("✗", fg="red") if outcome.failures else click.style("✓", fg="green")
    wanted = " as expected" if outcome.status != "SUCCEEDED" and not outcome.failures else ""
    print_data(f"{mark} {outcome.machine}#{outcome.case}  {outcome.status}{wanted}  {duration(outcome.seconds)}")
    for failure in outcome.failures:
        print_data(f"    {failure}")
