"""A revision in environments: what compute needs to run it for an endpoint, its variables, its log."""

import asyncio
from collections.abc import Mapping

from msgspec import Struct

from cumulet.compute import EnvironmentInfo, FunctionSpec, NotServing, Place, Server, Upstream
from cumulet.kernel.call import Principal
from cumulet.services.lambda_.web.checks import ENTRYPOINTS, family
from cumulet.services.lambda_.web.limits import Limits
from cumulet.services.lambda_.web.logs import WebStyle
from cumulet.services.lambda_.web.model import Endpoint, Revision
from cumulet.services.lambda_.web.names import WebKey
from cumulet.services.lambda_.web.state import Web

PORT = 3000
_HTTP_ENDPOINT = f"0.0.0.0:{PORT}"
_STALE = 4.0
"""Seconds after which an idle connection is not used again: Node.js closes its end after five."""


class _Ready(Struct, frozen=True):
    spec: FunctionSpec
    principal: Principal
    renew: float


class Runner:
    """One revision behind one endpoint in one region."""

    def __init__(self, web: Web, key: WebKey, endpoint: Endpoint, revision: Revision, region: str) -> None:
        self._web = web
        self._key = key
        self._endpoint = endpoint
        self._revision = revision
        self._region = region
        self._ready: _Ready | None = None
        self._idle: dict[str, list[Upstream]] = {}
        self._closed = False
        config = revision.service
        assert config.telemetry_config is not None
        assert config.telemetry_config.logging_config is not None
        self.style = WebStyle(config.telemetry_config.logging_config)
        self.timeout = float(config.timeout_seconds or 30)

    async def place(self) -> Place:
        """A place in an environment. Raises as `Compute.place` does."""
        ready = self._ready
        if ready is None or self._web.wall() >= ready.renew:
            ready = self._ready = await self._make_ready()
        began: list[EnvironmentInfo] = []

        def opened(info: EnvironmentInfo) -> None:
            began.append(info)
            self._begin_log(info, ready)

        try:
            place = await self._web.compute.place(ready.spec, opened)
        except NotServing as failed:
            for info in began:
                reason = {"status": "failure", "errorType": error_type(failed), "reason": why(failed, self._web.limits)}
                self.tell(info, "WARN", "platform.initReport", reason)
            raise
        for info in began:
            self.tell(info, "INFO", "platform.initReport", {"status": "success"})
        return place

    async def connection(self, place: Place) -> Upstream:
        """One that waits for a request, or a new one. Raises OSError."""
        idle = self._idle.get(place.info.id, [])
        now = asyncio.get_running_loop().time()
        while idle:
            found = idle.pop()
            if found.idle and found.idle_since + _STALE > now:
                return found
            found.close()
        return await fresh(place)

    def give_back(self, place: Place, connection: Upstream) -> None:
        """The request is over, well or not."""
        if self._closed or not connection.reusable:
            connection.close()
            return
        connection.rest()
        if place.info.id not in self._idle:  # environments end: what is left of them is forgotten when another begins
            self._idle = {id: open_ for id, all_ in self._idle.items() if (open_ := [one for one in all_ if one.idle])}
        self._idle.setdefault(place.info.id, []).append(connection)

    def close(self) -> None:
        """Nobody will ask it any more: no connection is kept, environments are."""
        self._closed = True
        for connections in self._idle.values():
            for connection in connections:
                connection.close()
        self._idle.clear()

    def stream_name(self, place: Place) -> str:
        """Where the environment's log goes."""
        stream = self._web.logs.known(place.info.id)
        return "" if stream is None else stream.name

    def tell(self, info: EnvironmentInfo, level: str, kind: str, record: Mapping[str, object]) -> None:
        """Have something of the platform's in an environment's log."""
        web = self._web
        stream = web.logs.known(info.id)
        if stream is not None:
            whole = {
                "functionName": self._key.name,
                "revisionId": self._revision.id,
                "endpointName": self._endpoint.name,
                "instanceId": info.id,
                **record,
            }
            web.logs.add(stream, self.style.platform(web.clock.now(), level, kind, whole), platform=True)

    async def _make_ready(self) -> _Ready:
        web, key, revision, endpoint = self._web, self._key, self._revision, self._endpoint
        config = revision.service
        credentials = await web.credentials.get(key, f"{endpoint.id}.{revision.id}", config.execution_role_arn)
        package = await web.store.package(revision.code)
        if package is None:
            raise FileNotFoundError(revision.code)
        limits = web.limits
        variables = self._variables()
        entry_variable, entry = ENTRYPOINTS[family(revision.runtime)]
        spec = FunctionSpec(
            key=f"{endpoint.id}.{revision.id}.{self._region}.{credentials.generation}",
            runtime=revision.runtime,
            handler="",
            code=await web.packages.folder(package.id, package.blob),
            memory_mb=limits.memory_mb,
            timeout=self.timeout,
            tmp_mb=limits.ephemeral_mb,
            environment=variables | credentials.variables,
            account=key.account,
            init_timeout=limits.init_seconds,
            concurrency=config.max_concurrency_per_environment or 64,
            max_environments=(endpoint.scaling.max_environments or 0) if endpoint.scaling else 0,
            server=Server(entry=variables.get(entry_variable, entry), port=PORT, processors=limits.processors),
        )
        return _Ready(spec, credentials.principal, credentials.renew)

    def _variables(self) -> dict[str, str]:
        """What the server sees, but for credentials. PORT is ours, for servers that look there."""
        return {
            "HOME": "/tmp",  # noqa: S108  the sandbox's own
            "PORT": str(PORT),
            "HOST": "0.0.0.0",  # noqa: S104  inside of the sandbox
            **(self._revision.service.environment_variables or {}),
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{self._revision.runtime}",
            "AWS_LAMBDA_HTTP_ENDPOINT": _HTTP_ENDPOINT,
            "AWS_LAMBDA_INITIALIZATION_TYPE": "native-http",
            "AWS_LAMBDA_LOG_FORMAT": "JSON",
            "AWS_LAMBDA_LOG_LEVEL": self.style.level,
            "AWS_REGION": self._region,
            "AWS_DEFAULT_REGION": self._region,
            "LAMBDA_TASK_ROOT": "/var/task",
            "PWD": "/var/task",
        }

    def _begin_log(self, info: EnvironmentInfo, ready: _Ready) -> None:
        logs = self._web.logs
        stream = logs.open_for(info.id, self._key, self.style.group, self._revision.id, ready.principal)
        stream.style = self.style
        self.tell(info, "INFO", "platform.initStart", {"initializationType": "on-demand"})


async def fresh(place: Place) -> Upstream:
    """A new connection to the server. Raises OSError."""
    inside = await place.connect()
    _, connection = await asyncio.get_running_loop().create_connection(Upstream, sock=inside)
    return connection


def error_type(failed: NotServing) -> str:
    """As the log tells it."""
    if failed.outcome.error == "timeout":
        return "Sandbox.Timedout"
    return failed.outcome.error_type or "Runtime.ExitError"


def why(failed: NotServing, limits: Limits) -> str:
    """What a developer should know of a server that did not come to listen."""
    if failed.outcome.error == "timeout":
        return f"The server did not listen on {_HTTP_ENDPOINT} (AWS_LAMBDA_HTTP_ENDPOINT) within {limits.init_seconds:g} seconds."
    how = "ran out of memory" if failed.outcome.error == "oom" else failed.outcome.detail or "ended"
    return f"The server ended before it listened on {_HTTP_ENDPOINT} (AWS_LAMBDA_HTTP_ENDPOINT): {how}."
