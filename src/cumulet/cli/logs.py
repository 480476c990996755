"""`cumulet logs`: a function's log, or any log group's."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from cumulet.cli.api_call import ApiError, Caller, with_caller_options
from cumulet.cli.errors import CliError
from cumulet.cli.node import data_option, find_node
from cumulet.cli.output import data as print_data
from cumulet.cli.times import seconds_since_1970

_POLL = 0.5
# A function's line may be stored a moment after its time; looking back a little finds it.
_LOOK_BACK_MS = 10_000


@click.command()
@click.argument("name", metavar="FUNCTION|GROUP")
@data_option
@with_caller_options
@click.option("-f", "--follow", is_flag=True, help="Keep printing what comes, until Ctrl-C.")
@click.option("--since", default="1h", show_default=True, help="30s, 10m, 2h, 1d, or a time: 2026-01-31T12:00:00Z.")
@click.option("--filter", "pattern", default="", help="A CloudWatch Logs filter pattern.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def logs(
    name: str,
    data: Path | None,
    account: str | None,
    region: str,
    follow: bool,
    since: str,
    pattern: str,
    as_json: bool,
) -> None:
    """Print the log of a function, or of a log group (whose name has a slash)."""
    node = find_node(data)
    start = int(seconds_since_1970(since, float(node.page("/_cumulet/clock")["now"])) * 1000)
    caller = Caller.from_options(node, account, region)
    query: dict[str, Any] = {"logGroupName": name if "/" in name else f"/aws/lambda/{name}", "startTime": start}
    if pattern:
        query["filterPattern"] = pattern
    seen: set[str] = set()
    while True:
        for event in _events(caller, query, tolerant=follow):
            if event["eventId"] not in seen:
                seen.add(event["eventId"])
                _print(event, as_json)
                query["startTime"] = max(query["startTime"], event["timestamp"] - _LOOK_BACK_MS)
        if not follow:
            return
        time.sleep(_POLL)


def _events(caller: Caller, query: dict[str, Any], *, tolerant: bool) -> Iterator[dict[str, Any]]:
    """Every page; a group that is not there yet has no events for one who waits."""
    page = dict(query)
    while True:
        try:
            answer = caller.json("logs", "Logs_20140328.FilterLogEvents", page)
        except ApiError as error:
            if error.code != "ResourceNotFoundException":
                raise
            if tolerant:
                return
            raise CliError(
                f"There is no log group {query['logGroupName']}: a function gets one with its first invocation."
            ) from None
        yield from answer.get("events", [])
        if not answer.get("nextToken"):
            return
        page["nextToken"] = answer["nextToken"]


def _print(event: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_data(json.dumps(event, ensure_ascii=False))
        return
    moment = datetime.fromtimestamp(event["timestamp"] / 1000, UTC).isoformat(timespec="milliseconds")
    print_data(f"{click.style(moment.replace('+00:00', 'Z'), dim=True)} {event['message'].rstrip()}")
