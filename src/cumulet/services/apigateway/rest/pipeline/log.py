"""The execution log of a request, in AWS's words and order.

https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cumulet.services.apigateway.rest.pipeline.exchange import Exchange

_TRUNCATE = 1024
_SECRET = frozenset({"authorization", "x-amz-security-token", "x-api-key"})
_BREAKS = re.compile(r"[\r\n\0]")


class ExecutionLog:
    """Collects lines; `level` is INFO or ERROR. With `traced`, bodies and headers are told too."""

    def __init__(self, request_id: str, now: float, *, level: str = "INFO", traced: bool = True) -> None:
        self.request_id = request_id
        self.stamp = datetime.fromtimestamp(now, UTC).strftime("%a %b %d %H:%M:%S UTC %Y")
        self.level = level
        self.traced = traced
        self.lines: list[str] = []
        self.failed = False

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
        head = f"Execution log for request {self.request_id}\n"
        return head + "".join(f"{self.stamp} : {line}\n" for line in self.lines)

    def events(self) -> list[str]:
        """The lines as events of CloudWatch Logs."""
        return [f"({self.request_id}) {line}" for line in self.lines]


def pairs(values: Mapping[str, object] | Iterable[tuple[str, object]]) -> str:
    """`{a=b, c=d}`; secrets are cut to their last letters, as AWS shows them."""
    items = values.items() if isinstance(values, Mapping) else values
    return "{" + ", ".join(f"{name}={_shown(name, value)}" for name, value in items) + "}"


def cut(text: str) -> str:
    """A text as the log has it: at most 1024 bytes of one."""
    return text if len(text) <= _TRUNCATE else f"{text[:_TRUNCATE]} [TRUNCATED]"


def _shown(name: str, value: object) -> str:
    text = (
        ", ".join(str(one) for one in value)
        if isinstance(value, Sequence) and not isinstance(value, str)
        else str(value)
    )
    text = _BREAKS.sub(" ", text)
    return masked(text) if name.lower() in _SECRET else text


def masked(text: str) -> str:
    """A secret as the log has it: its last six characters, or as many stars as it has where it is short."""
    return "*" * max(0, min(len(text), 64) - 6) + text[-6:] if len(text) > 6 else "*" * len(text)


def tell_request(ex: Exchange, function: str, body: bytes) -> None:
    """Log what a function is sent."""
    assert ex.log is not None
    program = ex.program
    host = f"https://lambda.{program.region}.amazonaws.com"
    ex.log.show(f"Endpoint request URI: {host}/2015-03-31/functions/{function}/invocations")
    headers = {
        "x-amzn-lambda-integration-tag": ex.request_id,
        "Authorization": "*" * 64,
        "X-Amz-Date": ex.stamp,
        "x-amzn-apigateway-api-id": program.api_id,
        "Accept": "application/json",
        "User-Agent": f"AmazonAPIGateway_{program.api_id}",
        "X-Amz-Security-Token": "*" * 64,
    }
    ex.log.show(f"Endpoint request headers: {pairs(headers)[:-1]} [TRUNCATED]")
    ex.log.show(f"Endpoint request body after transformations: {cut(body.decode('utf-8', 'replace'))}")


def tell_answer(ex: Exchange, status: str, body: bytes) -> None:
    """Log what a function returned."""
    assert ex.log is not None
    ex.log.say(f"Received response. Status: {status}, Integration latency: {ex.integration['latency']} ms")
    headers = {
        "Date": ex.http_date,
        "Content-Type": "application/json",
        "Content-Length": len(body),
        "Connection": "keep-alive",
        "x-amzn-RequestId": ex.request_id,
        "x-amzn-Remapped-Content-Length": 0,
        "X-Amz-Executed-Version": "$LATEST",
        "X-Amzn-Trace-Id": ex.answer_trace,
    }
    ex.log.show(f"Endpoint response headers: {pairs(headers)}")
    ex.log.show(f"Endpoint response body before transformations: {cut(body.decode('utf-8', 'replace'))}")
