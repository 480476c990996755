"""How an invocation or initialisation ended that its environment did not survive."""

import time

import msgspec

from cumulet.compute.ended import Ended, told
from cumulet.compute.environment import Environment
from cumulet.compute.model import ComputeUnavailable, FunctionSpec, Invocation, NotMounted, Outcome
from cumulet.compute.sandbox.file_systems import FAILED

_UNKNOWN = "Runtime.Unknown"


def not_loaded(environment: Environment, spec: FunctionSpec, document: bytes) -> Outcome:
    """The function could not be loaded, for the reason in the runtime's error document."""
    return Outcome(
        payload=document,
        environment_id=environment.id,
        cold=True,
        duration=0.0,
        max_memory=environment.max_memory(spec),
        error="init",
        error_type=_type(document),
        logs=environment.last_logs(),
    )


async def failure(environment: Environment, spec: FunctionSpec, invocation: Invocation, ended: Ended) -> Outcome:
    """What comes of it; the environment is to be ended. Raises ComputeUnavailable where the platform failed."""
    logs, memory = environment.last_logs(), environment.max_memory(spec)
    duration = time.perf_counter() - environment.started
    how = None
    if ended.how == "crash":
        how = await environment.ending()
        if "failed" in how:
            if FAILED in how["failed"]:
                raise NotMounted(how["failed"].partition(FAILED)[2])
            raise ComputeUnavailable(f"a function could not be put into its sandbox: {how['failed']}")
        logs += environment.last_logs()
    error, detail, error_type, payload = told(spec, invocation, ended, how or {"oom": False})
    return Outcome(
        payload=payload,
        environment_id=environment.id,
        cold=False,
        duration=duration,
        max_memory=memory,
        error=error,
        error_type=error_type,
        detail=detail,
        logs=logs,
    )


def _type(document: bytes) -> str:
    try:
        kind = msgspec.json.decode(document)["errorType"]
    except (msgspec.DecodeError, KeyError, TypeError):
        return _UNKNOWN
    return kind if isinstance(kind, str) and kind.startswith(("Runtime.", "Function.", "Extension.")) else _UNKNOWN
