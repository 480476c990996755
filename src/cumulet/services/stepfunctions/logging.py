"""What executions log to CloudWatch Logs: their events as JSON lines, as much of them as the machine's configuration asks for.

https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from cumulet.delivery.log_groups import LogWriter, group_of
from cumulet.services.stepfunctions.engine.ports import Facts

_FATAL = frozenset({"ExecutionAborted", "ExecutionFailed", "ExecutionTimedOut"})
_BAD_ENDINGS = ("Failed", "TimedOut", "Aborted")
# What data goes through: left out where the configuration does not include it.
_DATA = frozenset(
    {
        "assignedVariables",
        "assignedVariablesDetails",
        "input",
        "inputDetails",
        "output",
        "outputDetails",
        "parameters",
        "taskCredentials",
    }
)
_LONGEST = 250_000
_CUT = 1_000

_encode = msgspec.json.Encoder().encode


def is_logged(level: str, type: str) -> bool:
    """Whether a level takes events of this type."""
    if level == "ALL":
        return True
    if level == "ERROR":
        return type == "FailStateEntered" or type.endswith(_BAD_ENDINGS)
    return level == "FATAL" and type in _FATAL


class ExecutionLog:
    """The engine's `Log`: gives events on to the writer without waiting."""

    def __init__(self, writer: LogWriter) -> None:
        self._writer = writer

    def events(self, facts: Facts, events: Sequence[Mapping[str, Any]], redrives: int) -> None:
        """Log those that the machine's level takes."""
        logging = facts.version.logging
        if logging.level == "OFF" or not logging.groups or (found := group_of(logging.groups[0])) is None:
            return
        lines = [
            (int(event["timestamp"] * 1000), line(facts.arn, event, str(redrives), data=logging.include_data))
            for event in events
            if is_logged(logging.level, event["type"])
        ]
        if lines:
            account, region, group = found
            place = self._writer.place(account, region, group, prefix=f"states/{facts.version.name}/%Y-%m-%d-%H-%M/")
            self._writer.add_at(place, lines)

    async def flush(self) -> None:
        """Write what waits, now."""
        await self._writer.flush()


def line(arn: str, event: Mapping[str, Any], redrives: str, *, data: bool) -> str:
    """An event as AWS logs it. `data`: with inputs and outputs, which are cut where the line would be too long."""
    details = event.get("details") or {}
    if not data:
        details = {name: value for name, value in details.items() if name not in _DATA}
    text = _line(arn, event, redrives, details)
    if len(text) > _LONGEST:
        text = _line(arn, event, redrives, _cut(details))
    return text.decode()


def _line(arn: str, event: Mapping[str, Any], redrives: str, details: Mapping[str, Any]) -> bytes:
    return _encode(
        {
            "id": str(event["id"]),
            "type": event["type"],
            "details": details,
            "previous_event_id": str(event["previousEventId"]),
            "event_timestamp": str(int(event["timestamp"] * 1000)),
            "execution_arn": arn,
            "redrive_count": redrives,
        }
    )


def _cut(details: Mapping[str, Any]) -> dict[str, Any]:
    cut = dict(details)
    for name in ("input", "output"):
        if isinstance(cut.get(name), str) and len(cut[name]) > _CUT:
            cut[name] = cut[name][:_CUT]
            cut[f"{name}Details"] = {"truncated": True}
    return cut
