"""HTTP and WebSocket APIs: the service `apigatewayv2`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from cumulet.api import apigateway as rest_api
from cumulet.api.apigatewayv2 import OPERATIONS
from cumulet.delivery.roles import Roles
from cumulet.kernel.calls import Calls
from cumulet.kernel.clock import Clock, real_time
from cumulet.kernel.once import Later
from cumulet.kernel.service import Service, operations_in
from cumulet.kernel.tasks import Tasks
from cumulet.kernel.web import Client, Inner
from cumulet.services.apigateway.domains import store as domain_store
from cumulet.services.apigateway.domains.hosts import Domains
from cumulet.services.apigateway.http import (
    apis,
    authorizers,
    deployments,
    documents,
    domains,
    integrations,
    mapping_operations,
    models,
    responses,
    routes,
    routing_rules,
    stages,
    tags,
    vpc_links,
)
from cumulet.services.apigateway.http.links import link_tags
from cumulet.services.apigateway.http.portals import logos, pages, portals, products, publications, publishing
from cumulet.services.apigateway.http.running import Programs
from cumulet.services.apigateway.http.state import HttpApis
from cumulet.services.apigateway.http.store import SCHEMA, ApiStore, PartStore, SnapshotStore
from cumulet.services.apigateway.limits import Limits
from cumulet.services.apigateway.plane.authorizers import Cache
from cumulet.services.apigateway.plane.jwt import Verifier
from cumulet.services.apigateway.plane.lambdas import Functions
from cumulet.services.apigateway.plane.links import Links
from cumulet.services.apigateway.plane.logs import LogWriter
from cumulet.services.apigateway.plane.throttle import Buckets
from cumulet.services.apigateway.rest import owned_store
from cumulet.services.apigateway.rest import parts as rest_parts
from cumulet.services.apigateway.rest.apis import store as api_store
from cumulet.services.apigateway.rest.stages import store as stage_store
from cumulet.services.apigateway.sockets.hub import Sockets
from cumulet.storage.database import Database

if TYPE_CHECKING:
    from cumulet.services.apigateway.http.serving.front import HttpFront
    from cumulet.services.apigateway.sockets.admission import FindGate
    from cumulet.services.apigateway.sockets.front import SocketFront

_MODULES = (
    *(apis, routes, responses, integrations, authorizers, models, stages, deployments, vpc_links, tags),
    *(domains, mapping_operations, routing_rules, documents),
    *(products, pages, portals, publishing),
)
_SCHEMAS = {
    "apigatewayv2": SCHEMA,
    "apigatewayv2_publication": publications.SCHEMA,
    "apigatewayv2_logo": logos.SCHEMA,
    "apigateway_part": rest_parts.SCHEMA,
    "apigateway_api": api_store.SCHEMA,
    "apigateway_stage": stage_store.SCHEMA,
    "apigateway_domain": domain_store.SCHEMA,
    "apigateway_truststore": domain_store.TRUST_SCHEMA,
    "apigateway_account": owned_store.schema("apigateway_account"),
}
"""The last six are REST's, which custom domains lead to as well: whichever service starts first makes them."""


def _fronts(  # noqa: PLR0913  what a service is made of
    db: Database,
    clock: Clock,
    calls: Calls,
    tasks: Tasks,
    client: Client,
    inner: Inner,
    programs: Programs,
    logs: LogWriter,
    sockets: Sockets,
    find_gate: FindGate,
    limits: Limits,
    roles: Roles,
) -> tuple[Later[HttpFront], Later[SocketFront]]:
    """The data planes of HTTP and of WebSocket APIs, each loaded when it is first asked for."""
    functions, buckets = Functions(calls, roles), Buckets(clock.now)

    def front() -> HttpFront:
        from cumulet.services.apigateway.http.serving.authorizing import Gatekeeper  # noqa: PLC0415
        from cumulet.services.apigateway.http.serving.front import HttpFront  # noqa: PLC0415
        from cumulet.services.apigateway.http.serving.integrating import Integrator  # noqa: PLC0415

        keeper = Gatekeeper(functions, Cache(clock.now), Verifier(client, real_time, time.monotonic))
        integrator = Integrator(functions, client, inner, roles, Links(link_tags(db)))
        return HttpFront(programs, keeper, integrator, buckets, logs, clock.now, time.perf_counter)

    def socket_front() -> SocketFront:
        from cumulet.services.apigateway.sockets.admission import Admission  # noqa: PLC0415
        from cumulet.services.apigateway.sockets.front import SocketFront  # noqa: PLC0415
        from cumulet.services.apigateway.sockets.integrating import SocketIntegrator  # noqa: PLC0415

        integrator = SocketIntegrator(functions, client, inner, roles, clock.now)
        admission = Admission(functions, find_gate)
        return SocketFront(programs, sockets, integrator, admission, buckets, logs, clock, tasks, limits)

    return Later(front), Later(socket_front)


def build(  # noqa: PLR0913  what a service is made of
    *,
    db: Database,
    clock: Clock,
    calls: Calls,
    tasks: Tasks,
    client: Client,
    inner: Inner,
    domain_names: Domains,
    find_gate: FindGate,
    enforce: bool = False,
    limits: Limits | None = None,
) -> Service:
    """The service, on a database that it shares with the other two of API Gateway.

    `client` and `inner` are for integrations; `domain_names` are those of all three; `find_gate` gives the gate of API keys, which the service of REST APIs has; `enforce` tells
    whether permissions are enforced.
    """
    limits = limits or Limits()
    store, parts, snapshots = ApiStore(db), PartStore(db), SnapshotStore(db)
    programs = Programs(store, parts, snapshots)
    logs, sockets = LogWriter(calls, clock, tasks), Sockets(clock.now)
    front, socket_front = _fronts(
        db, clock, calls, tasks, client, inner, programs, logs, sockets, find_gate, limits, Roles(calls, clock, enforce)
    )
    http = HttpApis(
        db=db,
        clock=clock,
        calls=calls,
        apis=store,
        parts=parts,
        snapshots=snapshots,
        domains=domain_names,
        rest_apis=api_store.ApiStore(db),
        rest_stages=stage_store.StageStore(db),
        accounts=owned_store.OwnedStore(db, "apigateway_account", lambda: rest_api.Account),
        limits=limits,
        programs=programs,
        publications=publications.PublicationStore(db),
        later_front=front,
        sockets=sockets,
        later_socket_front=socket_front,
    )

    async def start() -> None:
        for name, schema in _SCHEMAS.items():
            await db.migrate(name, schema)

    async def stop() -> None:
        await http.end_sockets()
        await logs.flush()

    # Functions still reach every service as connections end: they clean up what clients leave behind.
    operations = operations_in(OPERATIONS, *_MODULES)
    return Service("apigatewayv2", http, operations, start, stop, wind_down=http.end_sockets)
