"""OS-only runtimes: the function brings a `bootstrap` program, which speaks the HTTP Runtime API.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-provided.html
"""

from collections.abc import Mapping, Sequence
from typing import Any

from cumulet.compute.runtimes import command
from cumulet.compute.runtimes.runtime import Channel, Launch, Runtime
from cumulet.compute.runtimes.server import TASK, Program

NAMES = ("provided.al2", "provided.al2023")
_BOOTSTRAPS = ("/var/task/bootstrap", "/opt/bootstrap")


class ProvidedRuntime:
    """Its blanks wait as a plain Python for the function whose bootstrap they become; one zygote serves every name."""

    channel: Channel = "http"
    zygote = "provided"
    forked = False
    lean = None
    growth: Mapping[str, object] = {}
    path = "the function's own bootstrap"
    start: Mapping[str, object] = {}

    def __init__(self, name: str) -> None:
        self.name = self.blank = name

    def for_function(self, memory_mb: int, environment: Mapping[str, str]) -> Runtime:
        del memory_mb, environment
        return self

    def launch(self) -> Launch:
        return Launch(binds=(), module=command.MODULE)

    def assignment(self, handler: str, code: str, environment: Mapping[str, str]) -> Mapping[str, object]:
        del handler, code, environment
        return {"programs": _BOOTSTRAPS, "arguments": [], "frames": False}

    def server(self, entry: str) -> Program:
        return Program(zygote=self.zygote, launch=self.launch(), argv=[f"{TASK}/{entry}"])

    def alone(self, code: str, layers: Sequence[str]) -> dict[str, Any]:
        return {"programs": [f"{folder}/bootstrap" for folder in (code, *reversed(layers))]}

    def launch_alone(self) -> Sequence[str]:
        return command.launch_alone()

    def variables(self) -> Mapping[str, str]:
        return {
            "PATH": "/usr/local/bin:/usr/bin/:/bin:/opt/bin",
            "LD_LIBRARY_PATH": "/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib",
            "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001",
        }


def find() -> dict[str, ProvidedRuntime]:
    return {name: ProvidedRuntime(name) for name in NAMES}
