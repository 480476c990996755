"""The execution log of a request, in AWS's words and order.

https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import formatdate

from msgspec import Struct

_TRUNCATE = 1024
SECRET = frozenset({"authorization", "x-amz-security-token", "x-api-key"})
"""Headers and parameters that logs show no more of than `masked` leaves."""
_BREAKS = re.compile(r"[\r\n\0]")


class ExecutionLog:
    """Collects lines; `level` is INFO or ERROR. With `traced`, bodies and headers are told too. `now` is in seconds since 1970.

    `secrets` are names, in lower case, of what events have that is not to be told.
    """

    def __init__(
        self, request_id: str, now: float, *, level: str = "INFO", traced: bool = True, secrets: frozenset[str] = SECRET
    ) -> None:
        self.request_id = request_id
        self.now = now
        self.level = level
        self.traced = traced
        self.secrets = secrets
        self.lines: list[str] = []
        self.failed = False

    @property
    def wanted(self) -> bool:
        """Whether its level has it written."""
        return self.failed or self.level == "INFO"

    def say(self, text: str) -> None:
        """A line that is there at level INFO."""
        if self.level == "INFO":
            self.lines.append(text)

    def show(self, text: str) -> None:
        """A line with data of the request."""
        if self.traced:
            self.lines.append(text)

    def fail(self, text: str) -> None:
        """A line that is there at every level."""
        self.failed = True
        self.lines.append(text)

    def text(self) -> str:
        """The whole log, as TestInvokeMethod gives it."""
        stamp = datetime.fromtimestamp(self.now, UTC).strftime("%a %b %d %H:%M:%S UTC %Y")
        head = f"Execution log for request {self.request_id}\n"
        return head + "".join(f"{stamp} : {line}\n" for line in self.lines)

    def events(self) -> list[str]:
        """The lines as events of CloudWatch Logs."""
        return [f"({self.request_id}) {line}" for line in self.lines]


class Asked(Struct, frozen=True):
    """Whose request a function gets: the API's region and id, the request's id, and its time in seconds since 1970."""

    region: str
    api_id: str
    request_id: str
    now: float


def tell_function(log: ExecutionLog, asked: Asked, function: str, body: bytes) -> None:
    """Log what a function is sent."""
    if not log.traced:
        return
    log.show(f"Endpoint request URI: {function_url(asked.region, function)}")
    headers = {
        "x-amzn-lambda-integration-tag": asked.request_id,
        "Authorization": "*" * 64,
        "X-Amz-Date": datetime.fromtimestamp(asked.now, UTC).strftime("%Y%m%dT%H%M%SZ"),
        "x-amzn-apigateway-api-id": asked.api_id,
        "Accept": "application/json",
        "User-Agent": f"AmazonAPIGateway_{asked.api_id}",
        "X-Amz-Security-Token": "*" * 64,
    }
    log.show(f"Endpoint request headers: {pairs(headers)[:-1]} [TRUNCATED]")
    log.show(f"Endpoint request body after transformations: {cut(body)}")


def tell_returned(
    log: ExecutionLog, asked: Asked, status: str, milliseconds: int, body: bytes, trace: str = ""
) -> None:
    """Log what a function returned."""
    headers = {
        "Date": formatdate(asked.now, usegmt=True),
        "Content-Type": "application/json",
        "Content-Length": len(body),
        "Connection": "keep-alive",
        "x-amzn-RequestId": asked.request_id,
        "x-amzn-Remapped-Content-Length": 0,
        "X-Amz-Executed-Version": "$LATEST",
    }
    tell_received(log, status, milliseconds, headers | ({"X-Amzn-Trace-Id": trace} if trace else {}), body)


def tell_authorizer(log: ExecutionLog, id: str, identity: Iterable[str]) -> None:
    """Log that an authorizer is asked about what a caller says of itself."""
    log.say(f"Starting authorizer: {id} for request: {log.request_id}")
    log.show(f"Incoming identity: {', '.join(masked(value) for value in identity)}")


def tell_decided(log: ExecutionLog, body: str, principal: str) -> None:
    """Log what an authorizer answered."""
    log.show(f"Authorizer result body before parsing: {cut(body)}")
    log.say(f"Using valid authorizer policy for principal: {masked(principal)}")
    log.say("Successfully completed authorizer execution")


def function_url(region: str, function: str) -> str:
    """Where AWS sends what a function gets."""
    return f"https://lambda.{region}.amazonaws.com/2015-03-31/functions/{function}/invocations"


def tell_sent(log: ExecutionLog, url: str, lines: Iterable[tuple[str, str]], body: bytes) -> None:
    """Log what goes to an address."""
    if log.traced:
        log.show(f"Endpoint request URI: {url}")
        log.show(f"Endpoint request headers: {pairs(lines)}")
        log.show(f"Endpoint request body after transformations: {cut(body)}")
    log.say(f"Sending request to {url}")


def tell_received(
    log: ExecutionLog,
    status: int | str,
    milliseconds: int,
    headers: Mapping[str, object] | Iterable[tuple[str, object]],
    body: bytes | None,
) -> None:
    """Log what came back; a body that is None is not known as a whole."""
    log.say(f"Received response. Status: {status}, Integration latency: {milliseconds} ms")
    if log.traced:
        log.show(f"Endpoint response headers: {pairs(headers)}")
        if body is not None:
            log.show(f"Endpoint response body before transformations: {cut(body)}")


def pairs(values: Mapping[str, object] | Iterable[tuple[str, object]]) -> str:
    """`{a=b, c=d}`; secrets are cut to their last letters, as AWS shows them."""
    items = values.items() if isinstance(values, Mapping) else values
    return "{" + ", ".join(f"{name}={_shown(name, value)}" for name, value in items) + "}"


def cut(text: str | bytes) -> str:
    """A text as the log has it: at most 1024 bytes of one."""
    if isinstance(text, str):
        if len(text) <= _TRUNCATE and text.isascii():
            return text
        text = text[: _TRUNCATE + 1].encode("utf-8", "replace")
    if len(text) <= _TRUNCATE:
        return text.decode("utf-8", "replace")
    end = _TRUNCATE
    while end > _TRUNCATE - 3 and text[end] & 0xC0 == 0x80:  # not amid a character
        end -= 1
    return f"{text[:end].decode('utf-8', 'replace')} [TRUNCATED]"


def _shown(name: str, value: object) -> str:
    text = (
        ", ".join(str(one) for one in value)
        if isinstance(value, Sequence) and not isinstance(value, str)
        else str(value)
    )
    text = _BREAKS.sub(" ", text)
    return masked(text) if name.lower() in SECRET else text


def masked(text: str) -> str:
    """A secret as the log has it: its last six characters, or as many stars as it has where it is short."""
    return "*" * max(0, min(len(text), 64) - 6) + text[-6:] if len(text) > 6 else "*" * len(text)
