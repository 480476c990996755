"""Functions under a debugger: their time does not run out, and a port of this machine leads into their environment."""

import asyncio
import importlib.util
import shutil
import socket
import sys
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from cumulet.compute import Compute, FunctionSpec, runtimes
from cumulet.compute.doors import Door
from cumulet.kernel.errors import AwsError
from cumulet.kernel.tasks import Tasks
from cumulet.services.lambda_.names import FunctionKey

PORTS = {"python": 5678, "nodejs": 9229}
"""Where each debugger is expected by habit, outside and in."""
_FOREVER = 86_400.0
_EXPIRES = 20.0
_PATIENCE = 30.0
_VARIABLE = "CUMULET_DEBUG_PORT"


class CannotDebug(AwsError):
    """The function cannot be debugged here; the message says why and what to do."""

    code = "InvalidRequest"


class Session(Struct):
    """Somebody debugs a function, and says so every few seconds; `end` comes when they do not."""

    family: str
    door: Door
    port: int
    end: asyncio.TimerHandle | None = None
    key: str = ""


class Debugging:
    """The functions that are debugged on this node. `changed` is called with one whose environments must be made anew.

    `folder` is where the debuggers' files are put together once, as a layer.
    """

    def __init__(self, compute: Compute, tasks: Tasks, folder: Path, changed: Callable[[FunctionKey], None]) -> None:
        self._compute = compute
        self._tasks = tasks
        self._folder = folder
        self._changed = changed
        self._sessions: dict[FunctionKey, Session] = {}

    async def begin(self, key: FunctionKey, runtime: str, port: int | None) -> Session:
        """Start a session, or keep one alive. Raises CannotDebug."""
        session = self._sessions.get(key)
        if session is None:
            family = next((family for family in PORTS if runtime.startswith(family)), None)
            if family is None:
                raise CannotDebug(f"Functions in {runtime} cannot be debugged, only in Python and Node.js.")
            await asyncio.to_thread(self._layer, family)
            session = self._open(key, family, PORTS[family] if port is None else port)
            self._changed(key)
        if session.end is not None:
            session.end.cancel()
        session.end = asyncio.get_running_loop().call_later(_EXPIRES, self.end, key)
        return session

    def end(self, key: FunctionKey) -> None:
        """The function is as it was."""
        session = self._sessions.pop(key, None)
        if session is not None:
            if session.end is not None:
                session.end.cancel()
            session.door.close()
            self._changed(key)
            if session.key:
                self._tasks.start(f"end debugging {key.name}", self._compute.retire(session.key))

    def spec(self, key: FunctionKey, spec: FunctionSpec) -> FunctionSpec:
        """The spec under which the function runs now."""
        session = self._sessions.get(key)
        if session is None:
            return spec
        inside = PORTS[session.family]
        environment = {**spec.environment, _VARIABLE: str(inside)}
        handler = spec.handler
        if session.family == "python":
            handler = "cumulet_debugged.handler"
        else:
            options = environment.get("NODE_OPTIONS", "")
            environment["NODE_OPTIONS"] = f"{options} --require /opt/cumulet-debugged.cjs".strip()
        session.key = f"{spec.key}.debugged"
        return replace(
            spec,
            key=session.key,
            handler=handler,
            environment=environment,
            layers=(*spec.layers, self._folder / session.family),
            timeout=_FOREVER,
            init_timeout=_FOREVER,
            debugged=True,
        )

    def _open(self, key: FunctionKey, family: str, port: int) -> Session:
        async def connect() -> socket.socket:
            async with asyncio.timeout(_PATIENCE):
                while True:
                    try:
                        return await self._compute.connect(session.key, PORTS[family])
                    except OSError:  # it has not come that far
                        await asyncio.sleep(0.05)

        door = Door(connect)
        try:
            number = door.open(port)
        except OSError as error:
            raise CannotDebug(f"Port {port} of 127.0.0.1 is taken: choose another with --port.") from error
        session = self._sessions[key] = Session(family=family, door=door, port=number)
        return session

    def _layer(self, family: str) -> None:
        """Put the debugger's files where environments find them in /opt."""
        inside = Path(runtimes.__file__).parent / "inside"
        target = self._folder / family
        if family == "nodejs":
            target.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(inside / "node" / "debugged.cjs", target / "cumulet-debugged.cjs")
            return
        found = importlib.util.find_spec("debugpy")
        if found is None or found.origin is None:
            raise CannotDebug(f"debugpy is not installed beside Cumulet: `{sys.executable} -m pip install debugpy`.")
        packages = target / "python"
        packages.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(inside / "debugged.py", packages / "cumulet_debugged.py")
        if not (packages / "debugpy").is_dir():
            half = packages / "debugpy.part"
            shutil.rmtree(half, ignore_errors=True)
            shutil.copytree(Path(found.origin).parent, half, ignore=shutil.ignore_patterns("__pycache__"))
            half.rename(packages / "debugpy")
