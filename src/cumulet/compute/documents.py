"""The error documents that Lambda itself, rather than a runtime, gives for an invocation."""

import signal
from typing import Any

import msgspec

from cumulet.compute.model import Invocation


def timed_out(invocation: Invocation, timeout: float) -> bytes:
    return _document(
        "Sandbox.Timedout", f"RequestId: {invocation.request_id} Error: Task timed out after {timeout:.2f} seconds"
    )


def exited(invocation: Invocation, detail: str) -> bytes:
    """`detail` is `signal: killed`, `exit status 1`, or empty for an orderly exit."""
    how = f"Runtime exited with error: {detail}" if detail else "Runtime exited without providing a reason"
    return _document("Runtime.ExitError", f"RequestId: {invocation.request_id} Error: {how}")


def no_entrypoint(invocation: Invocation, why: str) -> bytes:
    """`why` says what of the runtime's program is missing or could not be executed."""
    return _document("Runtime.InvalidEntrypoint", f"RequestId: {invocation.request_id} Error: {why}")


def extension_failed(invocation: Invocation, kind: str, why: str) -> bytes:
    """`kind` is Extension.Crash, ...; `why` an exit code or what the extension said itself."""
    return _document(kind, f"RequestId: {invocation.request_id} Error: {why}")


def exit_code(how: dict[str, Any]) -> str:
    """An extension's end in Lambda's words."""
    return f"exit code {how['status']}" if "status" in how else ending(how)


def too_large(invocation: Invocation) -> bytes:
    stream = invocation.stream
    limit = stream.limit if stream is not None and stream.overflowed else invocation.max_response
    message = f"Response payload size exceeded maximum allowed payload size ({limit} bytes)."
    return _document("Function.ResponseSizeTooLarge", message)


def ending(how: dict[str, Any]) -> str:
    """A process's end in Lambda's words; empty for exit status 0."""
    if number := how.get("signal"):
        return f"signal: {_SIGNALS.get(number, f'signal {number}')}"
    status = how.get("status", 0)
    return f"exit status {status}" if status else ""


def _document(kind: str, message: str) -> bytes:
    return msgspec.json.encode({"errorType": kind, "errorMessage": message})


_SIGNALS = {
    signal.SIGHUP: "hangup",
    signal.SIGINT: "interrupt",
    signal.SIGQUIT: "quit",
    signal.SIGILL: "illegal instruction",
    signal.SIGTRAP: "trace/breakpoint trap",
    signal.SIGABRT: "aborted",
    signal.SIGBUS: "bus error",
    signal.SIGFPE: "floating point exception",
    signal.SIGKILL: "killed",
    signal.SIGSEGV: "segmentation fault",
    signal.SIGPIPE: "broken pipe",
    signal.SIGALRM: "alarm clock",
    signal.SIGTERM: "terminated",
    signal.SIGSYS: "bad system call",
}
