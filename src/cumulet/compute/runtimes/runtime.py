"""What compute needs to know of a runtime: the seam along which runtimes are added."""

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

import msgspec

Channel = Literal["frames", "http"]


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """How a runtime's zygote starts inside its root file system.

    `argv` and `environment` are exec'ed there; `{control}` and `{pids}` in an argument become the numbers of the
    control socket's and the pid namespace's descriptors. `binds` are (source on the machine, target inside).
    """

    binds: Sequence[tuple[str, str]]
    argv: Sequence[str]
    environment: Mapping[str, str]


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
    def path(self) -> str:
        """The interpreter on this machine, for people."""
        ...

    def launch(self) -> Launch: ...

    def assignment(self, handler: str, code: str) -> Mapping[str, object]:
        """What the runtime's process is told beside the environment's variables, once a function is known."""
        ...

    def variables(self) -> Mapping[str, str]:
        """Variables Lambda sets for this runtime whatever the function."""
        ...
