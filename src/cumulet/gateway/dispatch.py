"""Runs an operation, whoever asked: a client over HTTP, or another service."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from types import CoroutineType
from typing import Any, Protocol

from msgspec import Struct

from cumulet.gateway.head_start import run_ahead
from cumulet.kernel.call import Call
from cumulet.kernel.credentials import Credential
from cumulet.kernel.errors import NotImplementedHere
from cumulet.kernel.service import Operation, Service

log = logging.getLogger(__name__)


class Authorizer(Protocol):
    """Decides whether a call may run; see gateway/authorize.py."""

    def needs_check(self, call: Call, credential: Credential | None) -> bool:
        """The cheap question first: False when nothing could deny this call."""
        ...

    async def check(
        self, call: Call, credential: Credential | None, service: str, operation: str, request: Struct
    ) -> None:
        """Raises the service's AccessDenied error when the call is not allowed."""
        ...


class Dispatcher:
    """The services of a node, each built and started when it is first needed."""

    def __init__(self, builders: Mapping[str, Callable[[], Service]]) -> None:
        self.authorizer: Authorizer | None = None
        self._builders = builders
        self._services: dict[str, Service] = {}
        self._starting: dict[str, asyncio.Task[Service]] = {}

    @property
    def names(self) -> list[str]:
        """Every service this node has."""
        return sorted(self._builders)

    @property
    def running(self) -> Mapping[str, Service]:
        """Those that have been started."""
        return self._services

    async def service(self, name: str) -> Service:
        """The running service of that name; NotImplementedHere when there is none."""
        if (service := self._services.get(name)) is not None:
            return service
        if name not in self._builders:
            raise NotImplementedHere(
                f"The service {name} is not implemented in Cumulet yet. See docs/services for those that are."
            )
        if name not in self._starting:
            self._starting[name] = asyncio.get_running_loop().create_task(self._start(name), name=f"start {name}")
        # Shielded: a client that hangs up must not leave a service half started.
        return await asyncio.shield(self._starting[name])

    async def _start(self, name: str) -> Service:
        try:
            service = self._builders[name]()
            await service.start()
        finally:
            del self._starting[name]
        self._services[name] = service
        return service

    async def operation(self, service: str, name: str) -> tuple[Service, Operation]:
        """The service and its operation; NotImplementedHere when either is not there."""
        running = self._services.get(service) or await self.service(service)
        found = running.operations.get(name)
        if found is None:
            raise NotImplementedHere.operation(service, name)
        return running, found

    async def run(
        self, call: Call, service: str, operation: str, request: Struct, credential: Credential | None = None
    ) -> Any:
        """Authorise and run; see kernel/calls.py."""
        given = self.begin(call, service, operation, request, credential)
        return await given if isinstance(given, CoroutineType) else given

    def begin(
        self, call: Call, service: str, operation: str, request: Struct, credential: Credential | None = None
    ) -> Any:
        """As `run`: the result where nothing has to be waited for, else a coroutine that gives it."""
        running = self._services.get(service)
        found = running.operations.get(operation) if running is not None else None
        if running is None or found is None:
            return self._run(call, service, operation, request, credential)
        authorizer = self.authorizer
        if authorizer is not None and authorizer.needs_check(call, credential):
            given = self._run(call, service, operation, request, credential)
        else:
            given = found.run(running.state, call, request)
        return run_ahead(given) if found.prompt and isinstance(given, CoroutineType) else given

    async def _run(
        self, call: Call, service: str, operation: str, request: Struct, credential: Credential | None
    ) -> Any:
        running, found = await self.operation(service, operation)
        authorizer = self.authorizer
        if authorizer is not None and authorizer.needs_check(call, credential):
            await authorizer.check(call, credential, service, operation, request)
        given = found.run(running.state, call, request)
        return await given if isinstance(given, CoroutineType) else given

    async def wind_down(self) -> None:
        """Let the services end what clients hold open, while all of them still run; one that fails keeps none from stopping."""
        services = tuple(self._services.values())
        failures = await asyncio.gather(*(service.wind_down() for service in services), return_exceptions=True)
        for service, failure in zip(services, failures, strict=True):
            if failure is not None:
                log.error("%s could not end what clients hold open; they are cut off", service.name, exc_info=failure)

    async def stop(self) -> None:
        """Stop the services, those started last first, since they use the earlier ones.

        What they end may call one that nobody called before: it starts meanwhile, and is stopped, too.
        """
        stopped: set[str] = set()
        while True:
            await asyncio.gather(*self._starting.values(), return_exceptions=True)
            left = [name for name in self._services if name not in stopped]
            if not left:
                break
            stopped.add(left[-1])
            await self._services[left[-1]].stop()
        self._services.clear()
