"""What a durable execution is, and the rules that need no store."""

from __future__ import annotations

import base64
import binascii
import re
from typing import NamedTuple

import msgspec
from msgspec import Struct

from cumulet.api import lambda_ as api
from cumulet.services.lambda_.errors import invalid, not_found
from cumulet.services.lambda_.names import FunctionKey

LONGEST_SYNCHRONOUS = 900
"""Seconds an execution that somebody waits for may take."""
DEFAULT_RETENTION = 14
"""Days an execution is kept after its end."""
DAY = 86_400.0
RUNNING, PAUSING, PAUSED = "RUNNING", "PAUSING", "PAUSED"
OPEN = frozenset({RUNNING, PAUSING, PAUSED})
_CHANGING = frozenset({"WAIT", "CALLBACK", "CHAINED_INVOKE"})

_ARN = re.compile(
    r"arn:aws[a-z-]*:lambda:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):function:(?P<name>[a-zA-Z0-9_-]+)"
    r":(\$LATEST|\d+)/durable-execution/[a-zA-Z0-9_-]+/(?P<id>[a-zA-Z0-9_-]+)"
)


class Pause(Struct, frozen=True):
    """A pause as it was asked for; `left` is the time of the execution's timeout that remained, where that stands still."""

    requested: float
    reason: str | None = None
    left: float | None = None


class LastCheckpoint(Struct, frozen=True):
    """The answer to the last checkpoint, for a client that repeats it."""

    client_token: str
    token: str
    answer: api.CheckpointDurableExecutionResponse


class Parent(Struct, frozen=True):
    """The operation of another execution that waits for this one."""

    arn: str
    operation: str


class DurableExecution(Struct, kw_only=True):
    """One execution. Times are seconds since 1970 on the node's clock.

    `sequence` counts the changes of operations, `seen` is the last one the handler knows of. `invocation` names the
    invocation that may checkpoint, `token` how many checkpoints the execution has had. `owed`: an invocation is to be
    made, not before `retry_at`. `failures` counts invocations that failed, in a row.
    """

    arn: str
    key: FunctionKey
    qualifier: str
    version: str
    name: str
    id: str
    started: float
    deadline: float | None
    timeout: int
    retention: int
    trace: str = ""
    tenant: str | None = None
    kms_key: str | None = None
    parent: Parent | None = None
    status: str = RUNNING
    ended: float | None = None
    result: str | None = None
    error: api.ErrorObject | None = None
    sequence: int = 0
    seen: int = 0
    token: int = 0
    invocation: str = ""
    owed: bool = True
    retry_at: float = 0.0
    failures: int = 0
    throttles: int = 0
    pause: Pause | None = None
    events: int = 0
    operations: int = 0
    size: int = 0
    last: LastCheckpoint | None = None

    @property
    def open(self) -> bool:
        """Whether it has not ended."""
        return self.status in OPEN

    @property
    def function_arn(self) -> str:
        """As it was started."""
        return f"{self.key.arn}:{self.qualifier}"

    def checkpoint_token(self) -> str:
        """What the next checkpoint or read of the invocation under way must show."""
        return base64.b64encode(f"{self.token}.{self.invocation}".encode()).decode()

    def accepts(self, token: str) -> bool:
        return self.open and bool(self.invocation) and token == self.checkpoint_token()

    def finish(self, status: str, at: float, result: str | None = None, error: api.ErrorObject | None = None) -> None:
        """End it; nothing of it is owed any more."""
        self.status, self.ended, self.result, self.error = status, at, result, error
        self.owed, self.invocation, self.last, self.pause = False, "", None, None

    def due(self, next_operation: float | None) -> float | None:
        """When something is to be done with it next; `next_operation` is when an operation changes by itself."""
        if not self.open:
            return (self.ended or 0.0) + self.retention * DAY
        moments = [self.deadline, next_operation]
        if self.owed and self.pause is None and not self.invocation:
            moments.append(self.retry_at)
        return min((moment for moment in moments if moment is not None), default=None)


class Held(Struct, kw_only=True):
    """An operation, and what is kept beside it.

    `due` is when it changes by itself; `expires` and `heartbeat` are the two reasons a callback has for that. `update` is
    what started it, kept for functions to be invoked: after a crash they are invoked again.
    """

    operation: api.Operation
    position: int
    touched: int
    due: float | None = None
    expires: float | None = None
    heartbeat: int | None = None
    update: api.OperationUpdate | None = None

    @property
    def waiting(self) -> bool:
        """Whether it will change without the handler: a wait, a retry, a callback, another function."""
        status = self.operation.status
        return status == "PENDING" or (status == "STARTED" and self.operation.type in _CHANGING)


class Whereabouts(NamedTuple):
    """What a durable execution's ARN says."""

    key: FunctionKey
    id: str


def durable_config(old: api.FunctionConfiguration, wanted: api.DurableConfig) -> api.DurableConfig:
    """What a request makes of a function's DurableConfig; a function is durable from its creation or never.

    Raises InvalidParameterValueException. https://docs.aws.amazon.com/lambda/latest/dg/durable-configuration.html
    """
    if old.durable_config is None and old.last_modified is not None:
        raise invalid("You cannot add DurableConfig to a function that was created without it.")
    before = old.durable_config or api.DurableConfig()
    timeout = wanted.execution_timeout or before.execution_timeout
    if timeout is None:
        raise invalid("DurableConfig needs an ExecutionTimeout.")
    return api.DurableConfig(
        kms_key_arn=wanted.kms_key_arn or before.kms_key_arn,
        retention_period_in_days=wanted.retention_period_in_days
        or before.retention_period_in_days
        or DEFAULT_RETENTION,
        execution_timeout=timeout,
    )


def whereabouts(arn: str) -> Whereabouts:
    """Raises InvalidParameterValueException."""
    match = _ARN.fullmatch(arn)
    if match is None:
        raise invalid(f"Invalid durable execution ARN: {arn}")
    return Whereabouts(FunctionKey(match["account"], match["region"], match["name"]), match["id"])


def callback_id(arn: str, operation: str) -> str:
    """What a callback is answered by."""
    return base64.b64encode(msgspec.json.encode([arn, operation])).decode()


def read_callback_id(id: str) -> tuple[str, str]:
    """The ARN of the execution, and the id of the operation. Raises ResourceNotFoundException."""
    try:
        arn, operation = msgspec.json.decode(base64.b64decode(id, validate=True), type=tuple[str, str])
    except (binascii.Error, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise not_found(f"Callback not found: {id}") from error
    return arn, operation


def error_object(document: bytes) -> api.ErrorObject:
    """The error in a function's error document ({"errorType": ..., "errorMessage": ...})."""
    try:
        found = msgspec.json.decode(document, type=dict[str, object])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return api.ErrorObject(error_message=document.decode(errors="replace")[:1024])
    trace = found.get("stackTrace") or found.get("trace")
    return api.ErrorObject(
        error_message=_text(found.get("errorMessage")),
        error_type=_text(found.get("errorType")),
        stack_trace=[str(line) for line in trace] if isinstance(trace, list) else None,
    )


def error_document(error: api.ErrorObject | None) -> bytes:
    """The other way: what a caller gets who waited for an execution that failed."""
    error = error or api.ErrorObject()
    document: dict[str, object] = {"errorMessage": error.error_message, "errorType": error.error_type}
    if error.error_data is not None:
        document["errorData"] = error.error_data
    if error.stack_trace is not None:
        document["stackTrace"] = error.stack_trace
    return msgspec.json.encode(document)


def _text(value: object) -> str | None:
    return None if value is None else str(value)
