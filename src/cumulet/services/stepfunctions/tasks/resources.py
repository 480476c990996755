"""What the Resource of a Task state names. Which of them a machine may have, `asl.validation` tells."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal

from msgspec import Struct

from cumulet.services.stepfunctions.tasks.vocabulary import offered

Pattern = Literal["request", "sync", "token"]
Family = Literal["lambda", "activity", "service", "sdk"]


class Resource(Struct, frozen=True):
    """A Task's Resource in parts.

    `family`: `lambda` (a function's ARN), `activity` (an activity's ARN), `service` (an optimised integration) or `sdk`.
    `service` and `action` are as written (`sqs`, `sendMessage`; `dynamodb`, `putItem` for `aws-sdk:dynamodb:putItem`).
    `pattern` tells what ends the task: the answer, the end of the job (`.sync`), or whoever has its token. `sync` is the
    version of `.sync`: 1 or 2. `region` and `account` are those of an ARN that has them.
    """

    arn: str
    family: Family
    service: str = ""
    action: str = ""
    pattern: Pattern = "request"
    sync: int = 0
    region: str = ""
    account: str = ""

    @property
    def shown(self) -> str:
        """`resource` in the history: `sendMessage.waitForTaskToken`."""
        if self.family in ("lambda", "activity"):
            return self.arn
        return self.arn.split(":", 5)[5].removeprefix("aws-sdk:").partition(":")[2]

    @property
    def type(self) -> str:
        """`resourceType` in the history: `sqs`, `aws-sdk:dynamodb`, `lambda`, `activity`."""
        if self.family == "sdk":
            return f"aws-sdk:{self.service}"
        return self.service if self.family == "service" else self.family


_ACTION = re.compile(r"[a-z][A-Za-z0-9]*", re.ASCII)
_SUFFIXES: dict[str, tuple[Pattern, int]] = {
    "": ("request", 0),
    "sync": ("sync", 1),
    "sync:2": ("sync", 2),
    "waitForTaskToken": ("token", 0),
}


@lru_cache(8192)
def parse(arn: str) -> Resource | None:
    """The parts of a Resource; None for what cannot be one."""
    parts = arn.split(":", 5)
    if len(parts) != 6 or parts[0] != "arn" or not parts[1]:
        return None
    service, region, account, rest = parts[2:]
    if service == "lambda":
        return _function(arn, region, account, rest)
    if service != "states":
        return None
    if region and account:
        kind, _, name = rest.partition(":")
        return Resource(arn, "activity", region=region, account=account) if kind == "activity" and name else None
    if region or account:
        return None
    return _integration(arn, rest)


def _function(arn: str, region: str, account: str, rest: str) -> Resource | None:
    kind, _, name = rest.partition(":")
    if kind != "function" or not name or not region or not account:
        return None
    return Resource(arn, "lambda", "lambda", "invoke", region=region, account=account)


def _integration(arn: str, rest: str) -> Resource | None:
    sdk = rest.startswith("aws-sdk:")
    service, _, called = rest.removeprefix("aws-sdk:").partition(":")
    action, _, suffix = called.partition(".")
    found = _SUFFIXES.get(suffix)
    if found is None or not _ACTION.fullmatch(action) or called.endswith("."):
        return None
    pattern, sync = found
    if (sdk and pattern == "sync") or (sync == 2 and service != "states") or not service:
        return None
    if sdk and not (service.isalnum() and offered(service, action)):
        return None
    return Resource(arn, "sdk" if sdk else "service", service, action, pattern, sync)
