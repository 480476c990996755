"""`cumulet cost`: what functions used, and what that would have cost on AWS."""

import json
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec

from cumulet.cli.bill import Bill, Line, Use, as_json, bill, prices
from cumulet.cli.errors import CliError
from cumulet.cli.node import data_option, find_node
from cumulet.cli.output import data as print_data
from cumulet.cli.output import say
from cumulet.cli.times import seconds_since_1970

_TITLES = ("FUNCTION", "REQUESTS", "GB-SECONDS", "PROVISIONED", "COST")


@click.command()
@click.argument("function", required=False)
@data_option
@click.option("--since", default="30d", show_default=True, help="2h, 7d, or a day: 2026-01-31. Days count whole (UTC).")
@click.option("--account", help="Of this account alone.")
@click.option("--json", "as_json_", is_flag=True, help="As JSON, with every kind of cost.")
def cost(function: str | None, data: Path | None, since: str, account: str | None, as_json_: bool) -> None:
    """Show what functions used, and its price on AWS (us-east-1), before and after the free tier."""
    node = find_node(data)
    now = float(node.page("/_cumulet/clock")["now"])
    day = datetime.fromtimestamp(seconds_since_1970(since, now), UTC).strftime("%Y-%m-%d")
    uses = msgspec.convert(node.page(f"/_cumulet/usage?since={day}"), list[Use])
    if account is not None:
        uses = [use for use in uses if use.account == account]
    known = prices()
    found = bill(uses, known)
    if function is not None:
        lines = [line for line in found.lines if line.function == function]
        if not lines:
            raise CliError(f"Nothing was used by a function {function} since {day}.")
        found = Bill(lines=lines, total=sum(line.total for line in lines), free_tier=found.free_tier)
    if as_json_:
        print_data(json.dumps(as_json(found, known, day)))
        return
    _print(found)
    off = min(found.free_tier, found.total)
    say(
        f"Since {day}, at the prices of {known.as_of} ({known.source}, {known.region}"
        f"{'' if known.checked else '; not compared with that page yet'}). "
        f"AWS's free tier would take {_dollars(off)} off: {_dollars(found.total - off)} are left."
    )


def _print(found: Bill) -> None:
    several = len({(line.account, line.region) for line in found.lines}) > 1
    rows = [_TITLES, *(_row(line, several) for line in found.lines)]
    rows.append(
        (
            "all",
            f"{sum(line.requests for line in found.lines):,}",
            f"{sum(line.gb_seconds for line in found.lines):,.3f}",
            f"{sum(line.provisioned_gb_seconds for line in found.lines):,.3f}",
            _dollars(found.total),
        )
    )
    widths = [max(len(row[column]) for row in rows) for column in range(len(_TITLES))]
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
