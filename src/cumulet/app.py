"""The composition root: with the command line, the only module that knows every part.

Services are imported, built and started when the first call for them comes (or in the background once the node is
ready), so that a node answers within a fraction of a second.
"""

import asyncio
import gc
import logging
import os
import socket
import ssl
import sys
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from cumulet import __version__
from cumulet.assembly import CODE_PATH, MICROVM_CREDENTIALS_PATH, Assembly
from cumulet.compute import HTTPS, Compute, ComputeConfig, EnvironmentInfo
from cumulet.delivery.http import HttpClient
from cumulet.gateway import downloads, execute_api, microvms, registry, workflow_pages
from cumulet.gateway.admin import Admin, Workbench
from cumulet.gateway.authenticate import Authenticator
from cumulet.gateway.authority import Authority
from cumulet.gateway.chain import Gateway
from cumulet.gateway.inner import InnerGateway
from cumulet.gateway.inner_apis import InnerApis
from cumulet.gateway.limits import Limits
from cumulet.gateway.record import Recorder
from cumulet.gateway.server import Listener, Server
from cumulet.kernel.clock import MovableClock, real_time
from cumulet.kernel.config import Config, NotToBeHad
from cumulet.kernel.memory import give_back_all_memory, give_back_memory
from cumulet.kernel.tasks import Tasks
from cumulet.permissions import Permissions
from cumulet.storage.folder import DataFolder
from cumulet.storage.local import LocalSignals

log = logging.getLogger(__name__)

_DRAIN = 5.0
_WARM_UP_DELAY = 0.2
_REST = 10.0
_ENDPOINT_INSIDE = 4566
"""Where a function finds the endpoint, on its own loopback address, beside the node's own port: so addresses that the node
gives out are good inside as well."""
_TAKEN_INSIDE = (80, 443, 9001)
_LIMITS_INSIDE = Limits(connections=256)
"""Of what listens in one environment: the node's descriptors are for all of them."""
_CONNECTIONS_INSIDE = 512
"""From one environment to each port where all find the node by AWS's names."""


class Node:
    """One Cumulet process: engines, compute, services, gateway. Made with a checked configuration, started once."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.clock = MovableClock()
        self.endpoint = ""
        self._tasks = Tasks()
        client = HttpClient(lambda: self._port, config.data / "tls.crt" if config.tls else None)
        self._assembly = Assembly(config, self.clock, self._tasks, LocalSignals(), client)
        self._dispatcher = self._assembly.services
        self._permissions = Permissions(self._dispatcher)
        self._recorder = Recorder(self.clock.now)
        authenticator = Authenticator(
            find=self._permissions.find_key,
            remembered=self._permissions.remembered_key,
            wall=real_time,
            development_keys=config.loopback,
            account=config.account,
        )
        self._registry = registry.Front(self._images, authenticator, public=config.loopback and config.iam != "enforce")
        self._gateway = Gateway(self._dispatcher, authenticator, self._recorder, config.region)
        self._assembly.inner = InnerGateway(self._dispatcher)
        self._assembly.apis = InnerApis(self._gateway)
        inside = Authenticator(
            find=self._permissions.find_key,
            remembered=self._permissions.remembered_key,
            wall=real_time,
            # A function must not become an account's root by naming it, once permissions mean something.
            development_keys=config.loopback and config.iam != "enforce",
            account=config.account,
        )
        self._inside = Gateway(self._dispatcher, inside, self._recorder, config.region)
        self._inside.beside = (
            microvms.credentials_at(MICROVM_CREDENTIALS_PATH, self._microvm_credentials),
            downloads.answers(CODE_PATH, self._code),
        )

    async def start(self) -> None:
        """Take the data folder, listen, and begin. Raises ConfigError with what to do when the machine says no."""
        self._assembly.read_quotas()
        self._folder = self._assembly.folder = DataFolder(self.config.data)
        try:
            self.clock.offset = self._folder.clock_offset()
            self._authority = Authority(self.config.data / "names")
            await self._listen()
            if not self._authority.prepare(real_time()):
                self._tasks.start("certificates", self._certify())
            self._compute = self._assembly.compute = self._make_compute()
            await self._compute.start()
        except BaseException:
            self._folder.release()
            raise
        self._folder.announce(self.endpoint, __version__)
        self._tasks.start("warm up", self._warm_up())
        self._tasks.start("give back memory", _give_back_memory())

    async def stop(self) -> None:
        """Let running calls end, then close everything in the reverse order of its start."""
        await self._dispatcher.wind_down()
        await self._server.drain(_DRAIN)
        await self._server.close()
        await self._dispatcher.stop()
        await self._tasks.close()
        await self._assembly.client.close()
        await self._compute.stop()
        await self._assembly.close()
        self._folder.release()

    async def status(self) -> dict[str, Any]:
        """The node as `/_cumulet/status` shows it."""
        level = await self._compute.level()
        return {
            "version": __version__,
            "endpoint": self.endpoint,
            "data": str(self.config.data),
            "pid": os.getpid(),
            "iam": self.config.iam,
            "isolation": msgspec.to_builtins(level),
            "runtimes": self._compute.runtimes(),
            "environments": msgspec.to_builtins(self._compute.environments()),
        }

    async def _listen(self) -> None:
        config = self.config
        self._authorizer = self._permissions.authorizer(config.iam, self.clock.now)
        self._dispatcher.authorizer = self._authorizer
        admin = Admin(
            dispatcher=self._dispatcher,
            recorder=self._recorder,
            clock=self.clock,
            status=self.status,
            denied=self._authorizer.denied,
            moved=lambda: self._folder.save_clock(self.clock.offset),
            usage=self._usage,
            bench=Workbench(self._warm_function, self._debug_function, self._debugged_function),
        )
        admin.add(workflow_pages.pages(self._workflows))
        self._gateway.beside = (downloads.answers(CODE_PATH, self._code), self._registry.answer, admin.answer)
        self._server = Server(self._gateway.handle, self._assembly.gateway_limits())
        try:
            if config.tls:
                listener = await self._server.listen_tls(config.host, config.port, await self._certified())
            else:
                listener = await self._server.listen_tcp(config.host, config.port)
        except OSError as error:
            raise NotToBeHad(
                f"{config.host}:{config.port} cannot be listened on ({os.strerror(error.errno or 0)}): "
                "stop what holds it, or choose another with --port."
            ) from error
        if config.unix_socket:
            try:
                await self._server.listen_unix(Path(config.unix_socket))
            except OSError as error:
                raise NotToBeHad(
                    f"The socket {config.unix_socket} cannot be made ({os.strerror(error.errno or 0)}): "
                    "choose another with --unix-socket."
                ) from error
        self._port = listener.address[1]
        self.endpoint = f"{'https' if config.tls else 'http'}://{config.host}:{self._port}"

    async def _certified(self) -> Callable[[str], Awaitable[ssl.SSLContext]]:
        """What chooses the certificate for the name that a client asks for. Raises ConfigError."""
        from cumulet.gateway.names import Names

        folder = self.config.data
        names = Names(folder / "names", folder / "tls.crt", self._authority, self._terms, real_time)
        try:
            await names.prepare([self.config.host, "localhost", "127.0.0.1", "::1", socket.gethostname()])
        except OSError as error:
            raise NotToBeHad(
                f"--tls needs certificates, which could not be made in {folder / 'names'}: {error}."
            ) from error
        return names.choose

    async def _terms(self, name: str) -> Any:
        """What TLS connections to a custom domain name take; None for other names."""
        if not execute_api.may_be_custom(name):
            return None
        state = await self._state("apigateway")
        return await state.domains.terms(name)

    def _make_compute(self) -> Compute:
        return Compute(
            ComputeConfig(
                folder=self.config.data / "compute",
                name=f"cumulet-{self._port}",
                endpoint_port=self._port if self._port not in _TAKEN_INSIDE else _ENDPOINT_INSIDE,
                more_ports=(_ENDPOINT_INSIDE,),
                level=self.config.isolation,
                idle_timeout=self.config.idle_timeout,
                internal_ports=self.config.internal_ports,
                trusted=self._authority.trusted,
                search_path=self.config.search_path,
                java_home=self.config.java_home,
                install_runtimes=self.config.install_runtimes,
                sdk_path=tuple(sys.path),
            ),
            on_log=self._hear,
            on_endpoint=self._serve_environment,
            on_platform=self._hear_platform,
        )

    def _hear(self, environment: EnvironmentInfo, line: bytes) -> None:
        """A line that a function wrote, for whoever of Lambda knows that environment; both start later than compute."""
        self._assembly.function_log(environment, line)
        self._assembly.web_log(environment, line)
        self._assembly.microvm_log(environment, line)

    def _hear_platform(self, environment: EnvironmentInfo, kind: str, record: Mapping[str, object]) -> None:
        self._assembly.platform_log(environment, kind, record)

    def _serve_environment(self, environment: EnvironmentInfo | None, sock: socket.socket) -> Callable[[], None]:
        """Answer AWS calls on a listener that was opened inside a sandbox, or where all of them find it.

        Begins with the first connection: what is never used costs next to nothing.
        """
        loop, descriptor = asyncio.get_running_loop(), sock.fileno()
        serving: asyncio.Task[Listener] | None = None

        def begin() -> None:
            nonlocal serving
            loop.remove_reader(descriptor)
            serving = self._tasks.start("sandbox endpoint", self._listen_inside(environment, sock))

        async def close(serving: asyncio.Task[Listener]) -> None:
            listener = await serving
            await listener.close()

        def stop() -> None:
            if serving is None:
                loop.remove_reader(descriptor)
                sock.close()
            else:
                self._tasks.start("close sandbox endpoint", close(serving))

        loop.add_reader(descriptor, begin)
        return stop

    async def _listen_inside(self, environment: EnvironmentInfo | None, sock: socket.socket) -> Listener:
        inside, budget = self._inside.handle, self._server.inside
        if environment is not None:
            return await self._server.listen_socket(sock, handler=inside, limits=_LIMITS_INSIDE, budget=budget)
        tls = self._authority.server() if sock.getsockname()[1] == HTTPS else None
        return self._server.listen_shared(sock, _CONNECTIONS_INSIDE, ssl=tls, handler=inside, budget=budget)

    async def _state(self, service: str) -> Any:
        """A service's own, which only it knows the form of; the service is started for it."""
        return (await self._dispatcher.service(service)).state

    async def _images(self) -> Any:
        """The registry of container images."""
        return (await self._state("lambda")).images.registry

    async def _code(self, package: str, query: Mapping[str, str]) -> downloads.Download | None:
        """A function's code, for an address that GetFunction gave."""
        found = await (await self._state("lambda")).download(package, query)
        return None if found is None else downloads.Download(*found)

    async def _microvm_credentials(self, secret: str) -> Mapping[str, str] | None:
        """Of the MicroVM that proves itself so."""
        state = await self._state("lambda-microvms")
        found: Mapping[str, str] | None = await state.credentials_of(secret)
        return found

    async def _usage(self, since: str, name: str) -> list[dict[str, Any]]:
        """What functions and workflows used from a day on, for the bill."""
        functions, workflows = await self._state("lambda"), await self._state("stepfunctions")
        used = [*await functions.metrics.usage(since, name), *await workflows.engine.usage.listed(since, name)]
        return [use._asdict() for use in used]

    async def _warm_function(self, arn: str) -> bool:
        from cumulet.services.lambda_.workbench.warming import warm

        return await warm(await self._state("lambda"), arn)

    async def _debug_function(self, arn: str, port: int | None) -> dict[str, Any]:
        from cumulet.services.lambda_.workbench.warming import debug

        return await debug(await self._state("lambda"), arn, port)

    async def _debugged_function(self, arn: str) -> None:
        from cumulet.services.lambda_.workbench.warming import end_debugging

        end_debugging(await self._state("lambda"), arn)

    async def _workflows(self) -> workflow_pages.Bench:
        """Step Functions, for the node's own pages."""
        from cumulet.services.stepfunctions import debugging

        state = await self._state("stepfunctions")
        return workflow_pages.Bench(state.mocks, partial(debugging.watch, state), partial(debugging.go_on, state))

    async def _certify(self) -> None:
        """Have the certificates for AWS's names made, which takes a process half a second."""
        await asyncio.sleep(_WARM_UP_DELAY)
        await self._authority.make()

    async def _warm_up(self) -> None:
        """Start services, so that queued work of the last run goes on without waiting for a first call."""
        await asyncio.sleep(_WARM_UP_DELAY)
        try:
            for name in self._dispatcher.names:
                try:
                    if self._assembly.begins_with_node(name):
                        await self._dispatcher.service(name)
                except Exception:
                    log.exception("%s could not be started; it is tried again when it is called", name)
                await asyncio.sleep(0)
        finally:
            # What lives now lives long: the collector need not look at it again.
            gc.collect()
            gc.freeze()
            gc.enable()  # off since the command began; see __main__.py
            self._assembly.give_back_memory()
            give_back_all_memory()


async def _give_back_memory() -> None:
    while True:
        await asyncio.sleep(_REST)
        give_back_memory()
