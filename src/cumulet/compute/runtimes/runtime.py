"""What compute needs to know of a runtime: the seam along which runtimes are added."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol, runtime_checkable

import msgspec

Channel = Literal["frames", "http"]


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """How a runtime's zygote starts inside its root file system.

    `argv` and `environment` are exec'ed there; `{control}` and `{namespaces}` in an argument become the numbers of the
    control socket's and the namespaces' descriptors, `{root}` whether it runs as root. `binds` are (source on the
    machine, target inside). Without `argv` the zygote is a fork of the supervisor, and `module` (of
    `cumulet.compute.runtimes.inside`) its runtime.
    """

    binds: Sequence[tuple[str, str]]
    argv: Sequence[str] = ()
    environment: Mapping[str, str] = {}
    module: str = ""
    root: str = ""
    """A folder that is the root, read-only, instead of the machine's system with the binds."""


class Runtime(Protocol):
    """One version of one runtime, found on this machine."""

    @property
    def name(self) -> str:
        """Lambda's identifier: python3.12."""
        ...

    @property
    def channel(self) -> Channel:
        """How invocations travel: frames on a socket, or the HTTP Runtime API on 127.0.0.1:9001 inside."""
        ...

    @property
    def zygote(self) -> str:
        """Which zygote its environments come from; runtimes that launch the same one share it."""
        ...

    @property
    def blank(self) -> str:
        """Names blanks that can stand in for each other: those of one variant of this runtime."""
        ...

    @property
    def forked(self) -> bool:
        """Whether its processes are forks of the zygote, whose memory then counts as theirs."""
        ...

    @property
    def lean(self) -> "Runtime | None":
        """The same with less loaded, whose zygote this one's grows from, and which stands in for it meanwhile."""
        ...

    @property
    def growth(self) -> Mapping[str, object]:
        """What the runtime's module in the zygote is told to grow from the lean one."""
        ...

    @property
    def start(self) -> Mapping[str, object]:
        """What the zygote's runtime is told for a new blank; a forked one that is wanted at once is told nothing."""
        ...

    @property
    def path(self) -> str:
        """The interpreter on this machine, for people."""
        ...

    def launch(self) -> Launch: ...

    def for_function(self, memory_mb: int, environment: Mapping[str, str]) -> "Runtime":
        """The variant of itself that such a function needs."""
        ...

    def assignment(self, handler: str, code: str, environment: Mapping[str, str]) -> Mapping[str, object]:
        """What the runtime's process is told beside the environment's variables, once a function is known."""
        ...

    def variables(self) -> Mapping[str, str]:
        """Variables Lambda sets for this runtime whatever the function."""
        ...


@runtime_checkable
class PlainRuntime(Protocol):
    """A runtime that can also run as a plain process, where nothing can be mounted."""

    @property
    def channel(self) -> Channel:
        """As of `Runtime`."""
        ...

    def alone(self, code: str, layers: Sequence[str]) -> dict[str, Any]:
        """What changes in the assignment there; `variables` in it change those of the environment."""
        ...

    def launch_alone(self) -> Sequence[str]:
        """The command; `{orders}`, `{channel}` and `{log}` become descriptors."""
        ...
