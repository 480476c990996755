"""The lines of the platform around an invocation, as text or JSON.

https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html, .../monitoring-cloudwatchlogs-logformat.html
"""

import math

import msgspec

from cumulet.compute import Outcome
from cumulet.services.lambda_.model import iso
from cumulet.services.lambda_.targets import Target

_STATUS = {None: "success", "timeout": "timeout"}


def is_json(target: Target) -> bool:
    logging = target.version.configuration.logging_config
    return logging is not None and logging.log_format == "JSON"


def billed(outcome: Outcome) -> int:
    """Milliseconds: an initialisation on demand counts, one ahead of events does not."""
    return math.ceil((outcome.duration + (outcome.init_duration or 0.0)) * 1000)


def init_start(target: Target, now: float, kind: str = "on-demand") -> str:
    configuration = target.version.configuration
    runtime = configuration.runtime or ""
    arn = configuration.runtime_version_config.runtime_version_arn if configuration.runtime_version_config else ""
    if is_json(target):
        record = {
            "initializationType": kind,
            "phase": "init",
            "runtimeVersion": runtime,
            "runtimeVersionArn": arn,
            "functionName": target.key.name,
            "functionVersion": target.version.number,
        }
        return _json(now, "platform.initStart", record)
    return f"INIT_START Runtime Version: {runtime}\tRuntime Version ARN: {arn}\n"


def start(target: Target, request_id: str, now: float) -> str:
    if is_json(target):
        return _json(now, "platform.start", {"requestId": request_id, "version": target.version.number})
    return f"START RequestId: {request_id} Version: {target.version.number}\n"


def end(target: Target, request_id: str, outcome: Outcome, now: float) -> list[str]:
    """END and REPORT, and before them what is said of a timeout."""
    if is_json(target):
        return [_json_report(target, request_id, outcome, now)]
    lines = [f"END RequestId: {request_id}\n", report(target, request_id, outcome)]
    if outcome.error == "timeout":
        lines.insert(0, f"{iso(now)} {request_id} Task timed out after {target.timeout:.2f} seconds\n\n")
    return lines


def report(target: Target, request_id: str, outcome: Outcome) -> str:
    duration = outcome.duration * 1000
    initialised = (outcome.init_duration or 0.0) * 1000
    text = (
        f"REPORT RequestId: {request_id}\tDuration: {duration:.2f} ms\t"
        f"Billed Duration: {math.ceil(duration + initialised)} ms\tMemory Size: {target.memory} MB\t"
        f"Max Memory Used: {_megabytes(target, outcome)} MB\t"
    )
    if outcome.init_duration is not None:
        text += f"Init Duration: {initialised:.2f} ms\t"
    if outcome.error == "timeout":
        text += "Status: timeout"
    elif outcome.error in {"crash", "oom"}:
        text += f"Status: error\tError Type: {'Runtime.OutOfMemory' if outcome.error == 'oom' else 'Runtime.ExitError'}"
    return text + "\n"


def _megabytes(target: Target, outcome: Outcome) -> int:
    """Of an environment that was killed for its memory, all of it."""
    return target.memory if outcome.error == "oom" else min(target.memory, math.ceil(outcome.max_memory / 1_048_576))


def _json_report(target: Target, request_id: str, outcome: Outcome, now: float) -> str:
    duration = outcome.duration * 1000
    metrics: dict[str, float | int] = {
        "durationMs": round(duration, 3),
        "billedDurationMs": math.ceil(duration + (outcome.init_duration or 0.0) * 1000),
        "memorySizeMB": target.memory,
        "maxMemoryUsedMB": _megabytes(target, outcome),
    }
    if outcome.init_duration is not None:
        metrics["initDurationMs"] = round(outcome.init_duration * 1000, 3)
    status = _STATUS.get(outcome.error, "error")
    return _json(now, "platform.report", {"requestId": request_id, "metrics": metrics, "status": status})


def _json(now: float, kind: str, record: object) -> str:
    return msgspec.json.encode({"time": iso(now), "type": kind, "record": record}).decode() + "\n"
