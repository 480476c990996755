"""Programs with a file system of their own: what MicroVMs are, and what is done to make one's image."""

from collections.abc import Mapping

from cumulet.compute.model import Machine
from cumulet.compute.runtimes import command
from cumulet.compute.runtimes.runtime import Channel, Launch, Runtime

USUAL_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_BUILDER = "builder"


class MachineRuntime:
    """Every machine's blanks are the same: its file system is put under it when it is known. Makers of images have their own."""

    channel: Channel = "http"
    forked = False
    lean = None
    growth: Mapping[str, object] = {}
    start: Mapping[str, object] = {}
    path = "the image's own program"

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self.name = self.blank = self.zygote = "machine builder" if machine.steps else "machine"

    def for_function(self, memory_mb: int, environment: Mapping[str, str]) -> Runtime:
        del memory_mb, environment
        return self

    def launch(self) -> Launch:
        return Launch(binds=(), module=_BUILDER if self._machine.steps else command.MODULE)

    def assignment(self, handler: str, code: str, environment: Mapping[str, str]) -> Mapping[str, object]:
        del handler, code
        machine = self._machine
        if machine.steps:
            return {"steps": [dict(step) for step in machine.steps]}
        return {
            **command.named(machine.argv, environment.get("PATH", USUAL_PATH)),
            "frames": False,
            "folder": machine.folder,
        }

    def variables(self) -> Mapping[str, str]:
        return {"PATH": USUAL_PATH}
