"""Programs that listen for connections themselves, run by a runtime's interpreter as they are."""

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

import msgspec

from cumulet.compute.model import RuntimeUnavailable, Server
from cumulet.compute.runtimes.runtime import Channel, Launch, Runtime

TASK = "/var/task"


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """How a server's program is started: by `argv`, in an environment of the `zygote` that `launch` starts. `variables` are
    set beside the runtime's own."""

    zygote: str
    launch: Launch
    argv: Sequence[str]
    variables: Mapping[str, str] = {}


@runtime_checkable
class Serving(Protocol):
    """A runtime that can run a server."""

    def server(self, entry: str) -> Program:
        """The one whose file, below the code's folder, is `entry`."""
        ...


class ServerRuntime:
    """One runtime for one server's program. Its blanks wait as a plain Python for the program that they become."""

    channel: Channel = "http"
    forked = False
    lean = None
    growth: Mapping[str, object] = {}
    start: Mapping[str, object] = {}

    def __init__(self, base: Runtime, program: Program) -> None:
        self.name = base.name
        self.zygote = program.zygote
        self.blank = f"{program.zygote} server"
        self.path = base.path
        self._base = base
        self._program = program

    def for_function(self, memory_mb: int, environment: Mapping[str, str]) -> Runtime:
        del memory_mb, environment
        return self

    def launch(self) -> Launch:
        return self._program.launch

    def assignment(self, handler: str, code: str, environment: Mapping[str, str]) -> Mapping[str, object]:
        del handler, code, environment
        program, *arguments = self._program.argv
        return {"programs": [program], "arguments": arguments, "frames": False, "missing": f"{program} does not exist"}

    def variables(self) -> Mapping[str, str]:
        return {**self._base.variables(), **self._program.variables}


def serving(runtime: Runtime, server: Server) -> ServerRuntime:
    """The runtime of a server. Raises RuntimeUnavailable."""
    if not isinstance(runtime, Serving):
        raise RuntimeUnavailable(f"{runtime.name} runs no servers: they are for Node.js, Python and provided runtimes.")
    return ServerRuntime(runtime, runtime.server(server.entry))
