"""Machines: programs that run for long, singly, each in an environment with a file system of its own."""

import asyncio
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cumulet.compute import documents
from cumulet.compute.environment import Environment
from cumulet.compute.fleet import Fleet
from cumulet.compute.model import ComputeUnavailable, EnvironmentInfo, FunctionSpec, OnEnvironment
from cumulet.compute.runtimes.machine import USUAL_PATH
from cumulet.compute.sandbox import messages
from cumulet.compute.supervision import Supervision

_MB_A_PROCESSOR = 1769
_SHELLS = ("/bin/bash", "/bin/sh", "/usr/bin/sh")
_CAPTURE_TIMEOUT = 900.0


class BootedMachine:
    """One that runs, until `end` is called; its program may end before. `ended` is done then."""

    def __init__(
        self, environment: Environment, info: EnvironmentInfo, spec: FunctionSpec, machines: "Machines"
    ) -> None:
        self.info = info
        self.ended: asyncio.Future[messages.Message] = environment.hull.ending
        self._environment = environment
        self._spec = spec
        self._machines = machines
        self._over = False

    async def connect(self, port: int) -> socket.socket:
        """A connection to what listens inside on that port. Raises OSError."""
        return await self._environment.connect(port)

    async def shell(self, rows: int, columns: int) -> int:
        """Start a shell at a terminal: the descriptor of the terminal's other side, the caller's to close. Raises OSError."""
        machine = self._spec.machine
        assert machine is not None
        variables = {"PATH": USUAL_PATH, **self._spec.environment, "TERM": "xterm-256color"}
        order = {
            "programs": _SHELLS,
            "environment": variables,
            "folder": machine.folder,
            "rows": rows,
            "columns": columns,
        }
        return await self._environment.shell(order)

    @property
    def can_freeze(self) -> bool:
        """Whether this machine's kernel can stop what is in it."""
        return self._environment.hull.can_freeze

    def freeze(self) -> None:
        """Stop everything in it where it is; nothing of it is lost."""
        self._environment.hull.freeze()

    def thaw(self) -> None:
        """Let it go on."""
        self._environment.hull.thaw()

    @property
    def peak_memory(self) -> int:
        """The most bytes it has used at once."""
        return self._environment.max_memory(self._spec)

    async def how(self) -> str:
        """How its program ended, for people: `exit status 1`, `signal: killed`, or what the platform failed at."""
        how = await self._environment.ending()
        if how.get("oom"):
            return "out of memory"
        return str(how["failed"]) if "failed" in how else documents.ending(how) or "exit status 0"

    @property
    def not_started(self) -> str:
        """Why its program could not be started, once that has ended; empty when it was."""
        return self._environment.not_started()

    def drain(self) -> None:
        """Take in what it has written until now."""
        self._environment.drain_logs()

    def last_lines(self) -> bytes:
        """The last of what it has written."""
        return self._environment.last_logs()

    async def capture(self, to: Path, limit: int) -> int:
        """Copy what it has written, of `limit` bytes at most, into an empty folder; gives the bytes. Raises ComputeUnavailable."""
        return await self._machines.capture(self.info.id, to, limit)

    def end(self) -> None:
        """End it with everything in it; calls after the first do nothing."""
        if not self._over:
            self._over = True
            self._machines.end(self._environment)


class Machines:
    """Those of a node."""

    def __init__(self, fleet: Fleet, supervision: Callable[[], Supervision | None]) -> None:
        self._fleet = fleet
        self._supervision = supervision
        self._captures: dict[str, asyncio.Future[int]] = {}

    async def boot(self, spec: FunctionSpec, on_environment: OnEnvironment | None) -> BootedMachine:
        """Start a machine's program. Raises ComputeUnavailable."""
        assert spec.machine is not None
        environment, info = await self._fleet.begin(spec, on_environment)
        environment.state = "busy"
        environment.hull.limit_cpu(int(spec.machine.processors * _MB_A_PROCESSOR))
        return BootedMachine(environment, info, spec, self)

    def end(self, environment: Environment) -> None:
        self._fleet.end(environment)

    async def capture(self, id: str, to: Path, limit: int) -> int:
        """See `BootedMachine.capture`."""
        supervision = self._supervision()
        if supervision is None:
            raise ComputeUnavailable("the supervisor of sandboxes is not running")
        waiting = self._captures[id] = asyncio.get_running_loop().create_future()
        supervision.order({"op": "capture", "id": id, "to": str(to), "limit": limit})
        try:
            return await asyncio.wait_for(waiting, _CAPTURE_TIMEOUT)
        except TimeoutError:
            raise ComputeUnavailable("what was made could not be copied in time") from None
        finally:
            self._captures.pop(id, None)

    def heard(self, report: Mapping[str, Any]) -> bool:
        """Whether a report of the supervisor was for this."""
        failed = report["report"] == "failed" and report.get("of") == "capture"
        if report["report"] != "captured" and not failed:
            return False
        waiting = self._captures.get(report["id"])
        if waiting is not None and not waiting.done():
            if report["why"]:
                waiting.set_exception(ComputeUnavailable(report["why"]))
            else:
                waiting.set_result(report["size"])
        return True

    def lost(self) -> None:
        """The supervisor has ended, and everything with it."""
        for waiting in self._captures.values():
            if not waiting.done():
                waiting.set_exception(ComputeUnavailable("the supervisor of sandboxes ended"))
