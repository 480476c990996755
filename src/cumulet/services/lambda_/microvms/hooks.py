"""Hooks: what Lambda asks an application at points of its life, by HTTP on a port inside.

https://docs.aws.amazon.com/lambda/latest/dg/microvms-launching.html#microvms-launching-lifecycle-hooks
"""

from __future__ import annotations

import asyncio

from cumulet.api import lambda_microvms as api
from cumulet.compute import BootedMachine, Broken, Upstream, request_head
from cumulet.services.lambda_.microvms.model import ENABLED

_PATH = "/aws/lambda-microvms/runtime/v1/"
_PORT = 9000
_BUILD_SECONDS, _SECONDS = 30.0, 1.0
_OK, _NOT_YET = 200, 503
_AGAIN_FIRST, _AGAIN_LATER = 0.05, 0.5


class HookFailed(Exception):
    """The message says which, and how."""


class Hooks:
    """Those of a version."""

    def __init__(self, hooks: api.Hooks | None) -> None:
        self._hooks = hooks or api.Hooks()
        self.port = self._hooks.port or _PORT

    def enabled(self, name: str) -> bool:
        return self._of(name)[0] == ENABLED

    @property
    def any(self) -> bool:
        """Whether there is one for MicroVMs, which needs `ready`, too."""
        return any(self.enabled(name) for name in ("run", "resume", "suspend", "terminate"))

    async def call(self, machine: BootedMachine, name: str, body: bytes = b"") -> None:
        """Have a hook run, where it is enabled. `ready` and `validate` may ask to be asked again. Raises HookFailed."""
        if not self.enabled(name):
            return
        patient = name in {"ready", "validate"}
        seconds = float(self._of(name)[1] or (_BUILD_SECONDS if patient else _SECONDS))
        try:
            async with asyncio.timeout(seconds):
                await self._ask(machine, name, body, patient=patient)
        except TimeoutError:
            raise HookFailed(f"The /{name} hook did not return HTTP 200 within {seconds:g} seconds.") from None

    async def _ask(self, machine: BootedMachine, name: str, body: bytes, *, patient: bool) -> None:
        pause = _AGAIN_FIRST
        while True:
            try:
                status = await self._post(machine, name, body)
            except (OSError, Broken) as error:
                if machine.ended.done():
                    raise HookFailed(f"The application ended before the /{name} hook returned.") from None
                if not patient and isinstance(error, Broken):
                    raise HookFailed(f"The /{name} hook did not answer: {error}.") from None
                status = 0  # nobody listens, or not yet
            if status == _OK:
                return
            if status and not (patient and status == _NOT_YET):
                raise HookFailed(f"The /{name} hook returned HTTP {status}.")
            await asyncio.wait({machine.ended}, timeout=pause)
            pause = min(pause * 2, _AGAIN_LATER)

    async def _post(self, machine: BootedMachine, name: str, body: bytes) -> int:
        inside = await machine.connect(self.port)
        _, connection = await asyncio.get_running_loop().create_connection(Upstream, sock=inside)
        lines = [
            ("Host", f"localhost:{self.port}"),
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body))),
            ("Connection", "close"),
        ]
        try:
            await connection.ask(request_head("POST", _PATH + name, lines), body, chunked=False, bodiless=False)
            return connection.status
        finally:
            connection.close()

    def _of(self, name: str) -> tuple[str | None, int | None]:
        group: api.MicrovmHooks | api.MicrovmImageHooks | None = self._hooks.microvm_hooks
        if name in {"ready", "validate"}:
            group = self._hooks.microvm_image_hooks
        if group is None:
            return None, None
        return getattr(group, name), getattr(group, f"{name}_timeout_in_seconds")
