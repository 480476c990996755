"""`cumulet dev`: a folder as a function, deployed again whenever a file in it is saved."""

import base64
import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from cumulet.cli import source
from cumulet.cli.api_call import ApiError, Caller, with_caller_options
from cumulet.cli.errors import CliError
from cumulet.cli.invoke import read_payload, show
from cumulet.cli.node import RunningNode, data_option, find_node
from cumulet.cli.output import say

_PATH = "/2015-03-31/functions"
_HEADERS = {"content-type": "application/json"}


class Deployment:
    """One function and the folder it is made of."""

    def __init__(self, node: RunningNode, caller: Caller, name: str, folder: Path) -> None:
        self._node = node
        self._caller = caller
        self._name = name
        self._folder = folder
        self._arn = ""
        self._content = b""

    def begin(self, settings: dict[str, Any]) -> str:
        """Create the function, or give it this code and these settings; gives what it is now, in words."""
        package = source.pack(self._folder)
        self._content = package.content
        try:
            found = self._call("GET", f"{_PATH}/{self._quoted}/configuration")
        except ApiError as error:
            if error.code != "ResourceNotFoundException":
                raise
            found = self._create(package, settings)
        else:
            if settings:
                found = self._call("PUT", f"{_PATH}/{self._quoted}/configuration", settings)
            self._update(package)
        self._arn = found["FunctionArn"]
        self._warm()
        size = len(package.content) / 1024
        return f"{found['Runtime']}, {found['Handler']}, {package.files} file{'s' if package.files != 1 else ''}, {size:.0f} KB"

    def again(self) -> None:
        """Give it the folder's code as it is now, and have it loaded before anyone calls."""
        self._update(source.pack(self._folder))
        self._warm()

    def outdated(self) -> bool:
        """Whether the folder has other content than what was deployed."""
        return source.pack(self._folder).content != self._content

    @property
    def _quoted(self) -> str:
        return quote(self._name, safe="")

    def _create(self, package: source.Package, settings: dict[str, Any]) -> dict[str, Any]:
        if "Runtime" not in settings or "Handler" not in settings:
            kind = source.guess(self._folder, self._node.page("/_cumulet/status")["runtimes"])
            settings = {"Runtime": kind.runtime, "Handler": kind.handler} | settings
        account = self._caller.access_key if self._caller.access_key.isdecimal() else "000000000000"
        body = {
            "FunctionName": self._name,
            "Role": f"arn:aws:iam::{account}:role/dev",
            "Timeout": 30,
            "MemorySize": 256,
            **settings,
            "Code": {"ZipFile": base64.b64encode(package.content).decode()},
        }
        return self._call("POST", _PATH, body)

    def _update(self, package: source.Package) -> None:
        self._content = package.content
        self._call("PUT", f"{_PATH}/{self._quoted}/code", {"ZipFile": base64.b64encode(package.content).decode()})

    def _warm(self) -> None:
        try:
            ready = self._node.page("/_cumulet/warm", {"function": self._arn}, timeout=60.0)["ready"]
        except CliError as error:
            found = self._call("GET", f"{_PATH}/{self._quoted}/configuration")
            if found.get("State") == "Failed":
                raise CliError(found.get("StateReason") or error.message) from None
            raise
        if not ready:
            say("It cannot be loaded; an invocation, or its log, says why.")

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        content = b"" if body is None else json.dumps(body).encode()
        answer = self._caller.send("lambda", path, content, dict(_HEADERS), method=method)
        found: dict[str, Any] = json.loads(answer.body)
        return found


@click.command()
@click.argument("function")
@click.argument("folder", default=".", type=click.Path(exists=True, file_okay=False, path_type=Path))
@data_option
@with_caller_options
@click.option("--runtime", help="Such as python3.12; guessed from the files otherwise.")
@click.option("--handler", help="Such as app.handler; guessed from the files otherwise.")
@click.option("--role", help="The execution role's ARN.")
@click.option("--memory", type=int, help="MB.  [default: 256]")
@click.option("--timeout", type=int, help="Seconds.  [default: 30]")
@click.option(
    "--env", "variables", multiple=True, metavar="NAME=VALUE", help="A variable of the function; may be repeated."
)
@click.option("--invoke", "event", metavar="PAYLOAD", help="Invoke it with this after each deployment: JSON, or @file.")
@click.option("--once", is_flag=True, help="Deploy once, and watch nothing; exit code 4 when --invoke failed.")
def dev(  # noqa: PLR0913  the options
    function: str,
    folder: Path,
    data: Path | None,
    account: str | None,
    region: str,
    runtime: str | None,
    handler: str | None,
    role: str | None,
    memory: int | None,
    timeout: int | None,
    variables: tuple[str, ...],
    event: str | None,
    once: bool,
) -> None:
    """Deploy FOLDER as FUNCTION, and again whenever a file in it is saved, until Ctrl-C.

    The function is made if it is not there. After each save an environment has the new code loaded before you call.
    """
    settings: dict[str, Any] = {
        name: value
        for name, value in {
            "Runtime": runtime,
            "Handler": handler,
            "Role": role,
            "MemorySize": memory,
            "Timeout": timeout,
        }.items()
        if value is not None
    }
    if variables:
        settings["Environment"] = {"Variables": dict(_variable(text) for text in variables)}
    payload = None if event is None else read_payload(event)
    node = find_node(data)
    caller = Caller.from_options(node, account, region)
    deployment = Deployment(node, caller, function, folder.resolve())
    started = time.monotonic()
    what = deployment.begin(settings)
    say(f"{function} is deployed ({what}) in {_ms(started)} ms.")
    if once:
        if payload is not None:
            _invoke(caller, function, payload)
        return
    _try(caller, function, payload)
    _watch(deployment, caller, function, folder, payload)


def _watch(deployment: Deployment, caller: Caller, function: str, folder: Path, payload: bytes | None) -> None:
    import watchfiles

    root = folder.resolve()

    def wanted(_: watchfiles.Change, path: str) -> bool:
        return source.matters(Path(path).relative_to(root))

    watching = False
    for changes in watchfiles.watch(
        root, watch_filter=wanted, debounce=200, step=20, rust_timeout=200, yield_on_timeout=True, raise_interrupt=False
    ):
        if not watching:  # what was saved before this moment was not seen
            watching = True
            say(f"Watching {folder}; Ctrl-C stops.")
            names = ["Something"] if deployment.outdated() else []
        else:
            names = sorted({Path(path).name for _, path in changes})
        if not names:
            continue
        started = time.monotonic()
        try:
            deployment.again()
        except CliError as error:
            say(f"{', '.join(names[:3])} saved; not deployed: {error.format_message()}")
            continue
        say(f"{', '.join(names[:3])} saved; deployed in {_ms(started)} ms.")
        _try(caller, function, payload)


def _try(caller: Caller, function: str, payload: bytes | None) -> None:
    if payload is None:
        return
    try:
        _invoke(caller, function, payload)
    except CliError as error:
        say(error.format_message())


def _invoke(caller: Caller, function: str, payload: bytes) -> None:
    path = f"{_PATH}/{quote(function, safe='')}/invocations"
    show(caller.send("lambda", path, payload, {"x-amz-log-type": "Tail"}), as_json=False)


def _variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise click.BadParameter(f"{text} is not NAME=VALUE.", param_hint="--env")
    return name, value


def _ms(since: float) -> int:
    return round((time.monotonic() - since) * 1000)
