"""`cumulet cost`: what functions and workflows used, and what that would have cost on AWS."""

import json
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec

from cumulet.cli.bill import Bill, Line, Prices, Use, as_json, bill, prices
from cumulet.cli.errors import CliError
from cumulet.cli.node import data_option, find_node
from cumulet.cli.output import data as print_data
from cumulet.cli.output import say
from cumulet.cli.times import seconds_since_1970
from cumulet.cli.workflow_bill import KINDS, WorkflowBill, WorkflowPrices, WorkflowUse, workflow_bill, workflow_prices
from cumulet.cli.workflow_bill import as_json as workflows_as_json

_TITLES = ("FUNCTION", "REQUESTS", "GB-SECONDS", "PROVISIONED", "COST")
_WORKFLOW_TITLES = ("STATE MACHINE", "TRANSITIONS", "EXPRESS", "GB-SECONDS", "COST")


@click.command()
@click.argument("name", required=False)
@data_option
@click.option("--since", default="30d", show_default=True, help="2h, 7d, or a day: 2026-01-31. Days count whole (UTC).")
@click.option("--account", help="Of this account alone.")
@click.option("--json", "as_json_", is_flag=True, help="As JSON, with every kind of cost.")
def cost(name: str | None, data: Path | None, since: str, account: str | None, as_json_: bool) -> None:
    """Show what functions and workflows used, and its price on AWS (us-east-1), before and after the free tier.

    NAME is a function or a state machine.
    """
    node = find_node(data)
    now = float(node.page("/_cumulet/clock")["now"])
    day = datetime.fromtimestamp(seconds_since_1970(since, now), UTC).strftime("%Y-%m-%d")
    used = [use for use in node.page(f"/_cumulet/usage?since={day}") if account in (None, use["account"])]
    known, workflows_known = prices(), workflow_prices()
    found = bill(msgspec.convert([use for use in used if use["kind"] not in KINDS], list[Use]), known)
    workflows = workflow_bill(
        msgspec.convert([use for use in used if use["kind"] in KINDS], list[WorkflowUse]), workflows_known
    )
    if name is not None:
        found, workflows = _of(found, workflows, name, day)
    if as_json_:
        shown = as_json(found, known, day) | {"workflows": workflows_as_json(workflows, workflows_known)}
        print_data(json.dumps(shown))
        return
    if found.lines or not workflows.lines:
        _print(found)
        _explain(day, known, found.free_tier, found.total)
    if workflows.lines:
        _print_workflows(workflows)
        _explain(day, workflows_known, workflows.free_tier, workflows.total)


def _of(found: Bill, workflows: WorkflowBill, name: str, day: str) -> tuple[Bill, WorkflowBill]:
    """What is of that name. Raises CliError where nothing is."""
    lines = [line for line in found.lines if line.function == name]
    machines = [line for line in workflows.lines if line.machine == name]
    if not lines and not machines:
        raise CliError(f"Nothing was used by a function or state machine {name} since {day}.")
    return (
        Bill(lines=lines, total=sum(line.total for line in lines), free_tier=found.free_tier),
        WorkflowBill(lines=machines, total=sum(line.total for line in machines), free_tier=workflows.free_tier),
    )


def _explain(day: str, known: Prices | WorkflowPrices, free_tier: float, total: float) -> None:
    off = min(free_tier, total)
    say(
        f"Since {day}, at the prices of {known.as_of} ({known.source}, us-east-1"
        f"{'' if known.checked else '; not compared with that page yet'}). "
        f"AWS's free tier would take {_dollars(off)} off: {_dollars(total - off)} are left."
    )


def _print(found: Bill) -> None:
    several = len({(line.account, line.region) for line in found.lines}) > 1
    rows: list[tuple[str, ...]] = [_TITLES, *(_row(line, several) for line in found.lines)]
    rows.append(
        (
            "all",
            f"{sum(line.requests for line in found.lines):,}",
            f"{sum(line.gb_seconds for line in found.lines):,.3f}",
            f"{sum(line.provisioned_gb_seconds for line in found.lines):,.3f}",
            _dollars(found.total),
        )
    )
    _table(rows)


def _print_workflows(found: WorkflowBill) -> None:
    several = len({(line.account, line.region) for line in found.lines}) > 1
    rows: list[tuple[str, ...]] = [_WORKFLOW_TITLES]
    for line in found.lines:
        name = f"{line.account}/{line.region}/{line.machine}" if several else line.machine
        numbers = (f"{line.transitions:,}", f"{line.express_requests:,}", f"{line.express_gb_seconds:,.3f}")
        rows.append((name, *numbers, _dollars(line.total)))
    _table(rows)


def _table(rows: list[tuple[str, ...]]) -> None:
    """The first column to the left, the others, which are numbers, to the right."""
    columns = range(len(rows[0]))
    widths = [max(len(row[column]) for row in rows) for column in columns]
    for row in rows:
        numbers = "  ".join(text.rjust(width) for text, width in zip(row[1:], widths[1:], strict=True))
        print_data(f"{row[0].ljust(widths[0])}  {numbers}")


def _row(line: Line, several: bool) -> tuple[str, ...]:
    name = f"{line.account}/{line.region}/{line.function}" if several else line.function
    return (
        name,
        f"{line.requests:,}",
        f"{line.gb_seconds:,.3f}",
        f"{line.provisioned_gb_seconds:,.3f}",
        _dollars(line.total),
    )


def _dollars(amount: float) -> str:
    """With as many digits as a small amount needs."""
    return f"${amount:,.2f}" if amount >= 1 or amount == 0 else f"${amount:.8f}"
