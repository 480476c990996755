"""The lines of the platform around an invocation, as text or JSON.

https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html, .../monitoring-cloudwatchlogs-log-level.html
"""

import math
from collections.abc import Mapping
from typing import Any

import msgspec

from cumulet.compute import Invocation, Outcome, records
from cumulet.services.lambda_.model import iso
from cumulet.services.lambda_.targets import Target

_LEVELS = ("DEBUG", "INFO", "WARN")
_DEBUG, _INFO, _WARN = range(3)
_APPLICATION_LEVELS = {"TRACE": 0, "DEBUG": 1, "INFO": 2, "WARN": 3, "ERROR": 4, "FATAL": 5}
_TYPES_SHOWN = {"crash": "Runtime.ExitError", "oom": "Runtime.OutOfMemory"}


class Style:
    """How a function's log is written: as text or JSON, and which of the platform's and the function's lines at least."""

    __slots__ = ("application", "json", "system")

    def __init__(self, target: Target) -> None:
        logging = target.version.configuration.logging_config
        self.json = target.json_logs
        self.system = _INFO
        self.application = 0
        if logging is not None and self.json:
            self.system = _LEVELS.index(logging.system_log_level or "INFO")
            self.application = _APPLICATION_LEVELS[logging.application_log_level or "INFO"]

    def shows(self, line: bytes) -> bool:
        """Whether a line that the function wrote is logged: one that is a JSON object with a level may be too low.

        https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html
        """
        if self.application == 0 or not line.startswith(b"{"):
            return True
        try:
            fields = msgspec.json.decode(line)
        except (msgspec.DecodeError, RecursionError):
            return True
        level = fields.get("level")
        if not isinstance(level, str) or not isinstance(fields.get("timestamp"), str):
            return True
        return _APPLICATION_LEVELS.get(level.upper(), self.application) >= self.application


def billed(outcome: Outcome) -> int:
    """Milliseconds: an initialisation on demand counts, one ahead of events does not."""
    return math.ceil((outcome.duration + (outcome.init_duration or outcome.restore_duration or 0.0)) * 1000)


def init_start(target: Target, now: float, kind: str = "on-demand") -> str:
    configuration = target.version.configuration
    runtime = configuration.runtime or ""
    arn = configuration.runtime_version_config.runtime_version_arn if configuration.runtime_version_config else ""
    if target.json_logs:
        record = {
            "initializationType": kind,
            "phase": "init",
            "runtimeVersion": runtime,
            "runtimeVersionArn": arn,
            "functionName": target.key.name,
            "functionVersion": target.number,
        }
        return _json(target, now, "platform.initStart", record, _INFO if runtime else _DEBUG)
    return f"INIT_START Runtime Version: {runtime}\tRuntime Version ARN: {arn}\n"


def start(target: Target, invocation: Invocation, now: float) -> str:
    if target.json_logs:
        return _json(target, now, "platform.start", _sampled(records.start(invocation, target.number)), _INFO)
    return f"START RequestId: {invocation.request_id} Version: {target.number}\n"


def end(target: Target, invocation: Invocation, outcome: Outcome, now: float) -> list[str]:
    """END and REPORT, and before them what is said of an end that is no answer."""
    if target.json_logs:
        return _json_end(target, invocation, outcome, now)
    id_ = invocation.request_id
    lines = [f"END RequestId: {id_}\n", report(target, invocation, outcome)]
    if outcome.error == "timeout":
        lines.insert(0, f"{iso(now)} {id_} Task timed out after {target.timeout:.2f} seconds\n\n")
    elif outcome.error in {"crash", "oom"} and (why := _message(outcome)):
        lines.insert(0, f"{why}\n{_error_type(outcome)}\n")
    return lines


def report(target: Target, invocation: Invocation, outcome: Outcome) -> str:
    duration = outcome.duration * 1000
    initialised = (outcome.init_duration or outcome.restore_duration or 0.0) * 1000
    text = (
        f"REPORT RequestId: {invocation.request_id}\tDuration: {duration:.2f} ms\t"
        f"Billed Duration: {math.ceil(duration + initialised)} ms\tMemory Size: {target.memory} MB\t"
        f"Max Memory Used: {records.megabytes(outcome, target.memory)} MB\t"
    )
    if outcome.restore_duration is not None:
        text += f"Restore Duration: {initialised:.2f} ms\tBilled Restore Duration: {math.ceil(initialised)} ms\t"
    if outcome.init_duration is not None:
        text += f"Init Duration: {initialised:.2f} ms\t"
    if "Sampled=1" in invocation.trace:
        fields = dict(part.split("=", 1) for part in invocation.trace.split(";") if "=" in part)
        text += f"XRAY TraceId: {fields.get('Root', '')}\tSegmentId: {fields.get('Parent', '')}\tSampled: true\t"
    if outcome.error == "timeout":
        text += "Status: timeout"
    elif outcome.error is not None and (kind := _error_type(outcome)):
        text += f"Status: error\tError Type: {kind}"
    return text + "\n"


def of_platform(style: Style, kind: str, record: Mapping[str, Any], now: float) -> str:
    """The line for an event of an environment; empty where it is none of the log's."""
    status = record.get("status", "success")
    failed = status != "success" or "errorType" in record
    if style.json:
        level = _WARN if failed or kind == "platform.logsDropped" else _INFO
        if kind == "platform.initReport" and not failed and record["initializationType"] == "on-demand":
            level = _DEBUG
        return _line(now, kind, record) if level >= style.system else ""
    if kind == "platform.initReport":
        if not failed and record["initializationType"] == "on-demand":
            return ""
        text = f"INIT_REPORT Init Duration: {record['metrics']['durationMs']:.2f} ms\tPhase: {record['phase']}\tStatus: {status}"
        return text + (f"\tError Type: {record['errorType']}" if record.get("errorType") else "") + "\n"
    if kind == "platform.restoreStart":
        version, arn = record.get("runtimeVersion", ""), record.get("runtimeVersionArn", "")
        return f"RESTORE_START Runtime Version: {version}\tRuntime Version ARN: {arn}\n"
    if kind == "platform.restoreReport":
        text = f"RESTORE_REPORT Restore Duration: {record['metrics']['durationMs']:.2f} ms"
        text += f"\tStatus: {status}" if failed else ""
        return text + (f"\tError Type: {record['errorType']}" if record.get("errorType") else "") + "\n"
    if kind == "platform.extension":
        text = f"EXTENSION\tName: {record['name']}\tState: {record['state']}\tEvents: [{', '.join(record['events'])}]"
        return text + (f"\tError Type: {record['errorType']}" if record.get("errorType") else "") + "\n"
    if kind in {"platform.telemetrySubscription", "platform.logsSubscription"}:
        title = "TELEMETRY" if kind == "platform.telemetrySubscription" else "LOGS"
        types = ", ".join(record["types"])
        return f"{title}\tName: {record['name']}\tState: {record['state']}\tTypes: [{types}]\n"
    return ""


def _error_type(outcome: Outcome) -> str:
    if outcome.error in {None, "handled", "too_large", "timeout"}:
        return ""
    return outcome.error_type or _TYPES_SHOWN.get(outcome.error or "", "")


def _message(outcome: Outcome) -> str:
    """`RequestId: ... Error: ...` of an error document of the platform."""
    try:
        return str(msgspec.json.decode(outcome.payload)["errorMessage"])
    except (msgspec.DecodeError, KeyError, TypeError):
        return ""


def _json_end(target: Target, invocation: Invocation, outcome: Outcome, now: float) -> list[str]:
    status = records.status(outcome)
    level = _WARN if status != "success" else _INFO
    least, lines = _least(target), []
    if (_WARN if status != "success" else _DEBUG) >= least:
        done = records.runtime_done(invocation, outcome.duration, len(outcome.payload), status, _error_type(outcome))
        lines.append(_line(now, "platform.runtimeDone", _sampled(done)))
    if level >= least:
        report = records.report(invocation, target.memory, outcome)
        lines.append(_line(now, "platform.report", _sampled(report)))
    return lines


def _sampled(record: dict[str, Any]) -> dict[str, Any]:
    """Without the trace of an invocation that is not traced."""
    if "tracing" in record and "Sampled=1" not in record["tracing"]["value"]:
        del record["tracing"]
    return record


def _json(target: Target, now: float, kind: str, record: Mapping[str, Any], level: int) -> str:
    return _line(now, kind, record) if level >= _least(target) else ""


def _least(target: Target) -> int:
    logging = target.version.configuration.logging_config
    return _LEVELS.index((logging.system_log_level if logging else None) or "INFO")


def _line(now: float, kind: str, record: Mapping[str, Any]) -> str:
    return msgspec.json.encode({"time": iso(now), "type": kind, "record": record}).decode() + "\n"
