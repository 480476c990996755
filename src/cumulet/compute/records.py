"""What the platform tells of an environment: the records of its events, as telemetry and structured logs have them.

https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html
"""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from cumulet.compute.model import FunctionSpec, Invocation, Outcome

Record = dict[str, Any]
_MB = 1 << 20


class Event(msgspec.Struct, frozen=True):
    """One event; `record` is a line of a log where `type` is `function` or `extension`."""

    time: str
    type: str
    record: Any


def timestamp(seconds: float) -> str:
    """2022-10-12T00:00:15.064Z."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def init_start(spec: FunctionSpec, environment_id: str, phase: str = "init") -> Record:
    variables = spec.environment
    record = {
        "initializationType": initialization_type(spec),
        "phase": phase,
        "runtimeVersion": spec.runtime,
        "runtimeVersionArn": spec.runtime_version_arn,
        "functionName": variables.get("AWS_LAMBDA_FUNCTION_NAME", ""),
        "functionVersion": variables.get("AWS_LAMBDA_FUNCTION_VERSION", ""),
        "instanceId": environment_id,
        "instanceMaxMemory": spec.memory_mb * _MB,
    }
    return {name: value for name, value in record.items() if value != ""}


def init_runtime_done(spec: FunctionSpec, phase: str, status: str, error_type: str) -> Record:
    record = {"initializationType": initialization_type(spec), "phase": phase, "status": status}
    return record | ({"errorType": error_type} if error_type else {})


def init_report(spec: FunctionSpec, phase: str, duration: float, status: str, error_type: str) -> Record:
    """`duration` in seconds."""
    return init_runtime_done(spec, phase, status, error_type) | {"metrics": {"durationMs": round(duration * 1000, 3)}}


def start(invocation: Invocation, version: str) -> Record:
    return {**_whose(invocation), "version": version, **_tracing(invocation)}


def runtime_done(invocation: Invocation, duration: float, produced: int, status: str, error_type: str) -> Record:
    """`duration` in seconds, `produced` the bytes of the answer."""
    record = {**_whose(invocation), "status": status, **_tracing(invocation)}
    if error_type:
        record["errorType"] = error_type
    return record | {"metrics": {"durationMs": round(duration * 1000, 3), "producedBytes": produced}}


def report(invocation: Invocation, memory_mb: int, outcome: Outcome) -> Record:
    record = {**_whose(invocation), "status": status(outcome), **_tracing(invocation)}
    if outcome.error_type:
        record["errorType"] = outcome.error_type
    return record | {"metrics": metrics(outcome, memory_mb)}


def metrics(outcome: Outcome, memory_mb: int) -> dict[str, float | int]:
    """What a REPORT has. The initialisation is billed as well: https://aws.amazon.com/lambda/pricing/."""
    duration, initialised = outcome.duration * 1000, (outcome.init_duration or outcome.restore_duration or 0.0) * 1000
    values: dict[str, float | int] = {
        "durationMs": round(duration, 3),
        "billedDurationMs": math.ceil(duration + initialised),
        "memorySizeMB": memory_mb,
        "maxMemoryUsedMB": megabytes(outcome, memory_mb),
    }
    if outcome.restore_duration is not None:
        values["restoreDurationMs"] = round(outcome.restore_duration * 1000, 3)
    if outcome.init_duration is not None:
        values["initDurationMs"] = round(initialised, 3)
    return values


def megabytes(outcome: Outcome, memory_mb: int) -> int:
    """Of an environment that was killed for its memory, all of it."""
    return memory_mb if outcome.error == "oom" else min(memory_mb, math.ceil(outcome.max_memory / _MB))


def status(outcome: Outcome) -> str:
    if outcome.error is None:
        return "success"
    return "timeout" if outcome.error == "timeout" else "error"


def extension(name: str, state: str, events: Sequence[str], error_type: str) -> Record:
    record = {"name": name, "state": state, "events": list(events)}
    return record | ({"errorType": error_type} if error_type else {})


def restore_start(spec: FunctionSpec, environment_id: str) -> Record:
    record = init_start(spec, environment_id)
    return {name: value for name, value in record.items() if name not in {"initializationType", "phase"}}


def restored(duration: float, status: str, error_type: str) -> list[tuple[str, Record]]:
    """The events of a restoration that is over, by type; `duration` in seconds."""
    record: Record = {"status": status} | ({"errorType": error_type} if error_type else {})
    report = record | {"metrics": {"durationMs": round(duration * 1000, 3)}}
    return [("platform.restoreRuntimeDone", record), ("platform.restoreReport", report)]


def initialization_type(spec: FunctionSpec) -> str:
    if spec.snapshot:
        return "snap-start"
    return "provisioned-concurrency" if spec.kept else "on-demand"


def _whose(invocation: Invocation) -> Record:
    tenant = {"tenantId": invocation.tenant_id} if invocation.tenant_id else {}
    return {"requestId": invocation.request_id, **tenant}


def _tracing(invocation: Invocation) -> Mapping[str, Any]:
    if not invocation.trace:
        return {}
    fields = dict(part.split("=", 1) for part in invocation.trace.split(";") if "=" in part)
    span = {"spanId": fields["Parent"]} if "Parent" in fields else {}
    return {"tracing": {**span, "type": "X-Amzn-Trace-Id", "value": invocation.trace}}
