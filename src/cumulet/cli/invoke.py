"""`cumulet invoke`: run a function and see what it answers and logs."""

import base64
import json
import sys
from pathlib import Path
from urllib.parse import quote

import click

from cumulet.cli.api_call import Answer, Caller, with_caller_options
from cumulet.cli.errors import FunctionFailed
from cumulet.cli.node import data_option, find_node
from cumulet.cli.output import data_json, say


@click.command()
@click.argument("function")
@click.argument("payload", default="{}")
@data_option
@with_caller_options
@click.option("--qualifier", help="A version or alias.")
@click.option("--event", "asynchronous", is_flag=True, help="Queue the event, and do not wait for the result.")
@click.option("--json", "as_json", is_flag=True, help="Result, log and error as one JSON object.")
def invoke(
    function: str,
    payload: str,
    data: Path | None,
    account: str | None,
    region: str,
    qualifier: str | None,
    asynchronous: bool,
    as_json: bool,
) -> None:
    """Invoke FUNCTION with PAYLOAD: JSON text, @file, or - for standard input.

    The result goes to stdout, the end of the log to stderr. Exit code 4 when the function failed.
    """
    event = read_payload(payload)
    caller = Caller.from_options(find_node(data), account, region)
    headers = {"x-amz-invocation-type": "Event" if asynchronous else "RequestResponse", "x-amz-log-type": "Tail"}
    path = f"/2015-03-31/functions/{quote(function, safe='')}/invocations"
    query = f"Qualifier={quote(qualifier, safe='')}" if qualifier else ""
    answer = caller.send("lambda", path, event, headers, query)
    if asynchronous:
        say(f"Queued (request {answer.headers.get('x-amzn-requestid', '?')}).")
        return
    show(answer, as_json=as_json)


def read_payload(text: str) -> bytes:
    """JSON text, @file, or - for standard input. Raises BadParameter."""
    try:
        if text == "-":
            raw = sys.stdin.buffer.read()
        elif text.startswith("@"):
            raw = Path(text[1:]).read_bytes()
        else:
            raw = text.encode()
    except OSError as error:
        raise click.BadParameter(f"{text[1:]} cannot be read ({error.strerror}).", param_hint="PAYLOAD") from None
    try:
        json.loads(raw)
    except ValueError as error:
        raise click.BadParameter(f"it is not JSON ({error}).", param_hint="PAYLOAD") from None
    return raw


def show(answer: Answer, *, as_json: bool) -> None:
    """The result to stdout, the end of the log to stderr. Raises FunctionFailed."""
    log = base64.b64decode(answer.headers.get("x-amz-log-result", "")).decode(errors="replace")
    failure = answer.headers.get("x-amz-function-error")
    if as_json:
        result = json.loads(answer.body) if answer.body else None
        version = answer.headers.get("x-amz-executed-version")
        data_json({"result": result, "functionError": failure, "executedVersion": version, "log": log})
    else:
        say(log.rstrip())
        click.echo(answer.body)
    if failure is not None:
        raise FunctionFailed(f"The function failed ({failure}); its answer describes the error.")
