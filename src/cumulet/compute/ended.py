"""How a runtime's work came to an end that was no answer, and what the invocation is told of it."""

from typing import Literal

from cumulet.compute import documents
from cumulet.compute.model import ErrorKind, FunctionSpec, Invocation
from cumulet.compute.sandbox import messages

_EXITED = "Runtime.ExitError"
_OUT_OF_MEMORY = "Runtime.OutOfMemory"
_NO_ENTRYPOINT = "Runtime.InvalidEntrypoint"

Ending = Literal["timeout", "crash", "entrypoint", "extension"]


class Ended(Exception):
    """The environment's runtime is gone, or must go; `why` it could not be started where that is so ("entrypoint"), or what
    of an extension failed and how it did ("extension")."""

    def __init__(self, how: Ending, why: str = "", kind: str = "") -> None:
        super().__init__(how)
        self.how: Ending = how
        self.why = why
        self.kind = kind


def told(
    spec: FunctionSpec, invocation: Invocation, ended: Ended, how: messages.Message
) -> tuple[ErrorKind, str, str, bytes]:
    """The kind of an error, its details, its type and its document; `how` says of a crash how the process ended, and
    whether for want of memory ("oom")."""
    if ended.how == "timeout":
        return "timeout", "", "", documents.timed_out(invocation, spec.timeout)
    if ended.how == "entrypoint":
        return "init", ended.why, _NO_ENTRYPOINT, documents.no_entrypoint(invocation, ended.why)
    if ended.how == "extension":
        return "crash", ended.why, ended.kind, documents.extension_failed(invocation, ended.kind, ended.why)
    detail = documents.ending(how)
    kind: ErrorKind = "oom" if how["oom"] else "crash"
    return kind, detail, _OUT_OF_MEMORY if how["oom"] else _EXITED, documents.exited(invocation, detail)
