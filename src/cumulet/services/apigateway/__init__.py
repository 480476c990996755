"""Amazon API Gateway: REST APIs here (`apigateway`), HTTP and WebSocket APIs in `http/`, connections of the latter in `sockets/`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cumulet.api import apigateway as api
from cumulet.api.apigateway import OPERATIONS
from cumulet.kernel.calls import Calls
from cumulet.kernel.clock import Clock
from cumulet.kernel.once import Later
from cumulet.kernel.service import Service, operations_in
from cumulet.kernel.tasks import Tasks
from cumulet.kernel.web import Client, Inner
from cumulet.services.apigateway.domains import store as domain_store
from cumulet.services.apigateway.domains.hosts import Domains
from cumulet.services.apigateway.limits import Limits
from cumulet.services.apigateway.plane.links import Links
from cumulet.services.apigateway.plane.throttle import Buckets
from cumulet.services.apigateway.rest import (
    accounts,
    authorizers,
    entry,
    gateway_responses,
    owned_store,
    parts,
    tagging,
    vpc_links,
)
from cumulet.services.apigateway.rest.apis import apis, documents, sdks
from cumulet.services.apigateway.rest.apis import store as api_store
from cumulet.services.apigateway.rest.certificates import certificates
from cumulet.services.apigateway.rest.certificates import keys as certificate_keys
from cumulet.services.apigateway.rest.deployments import deployments
from cumulet.services.apigateway.rest.deployments import store as deployment_store
from cumulet.services.apigateway.rest.documentation import documentation
from cumulet.services.apigateway.rest.documentation import store as documentation_store
from cumulet.services.apigateway.rest.domain_names import access_associations, base_path_mappings, domain_names
from cumulet.services.apigateway.rest.keys import admissions, gate, keys, plans, usage, usage_store, usages
from cumulet.services.apigateway.rest.keys import store as plan_key_store
from cumulet.services.apigateway.rest.models import models, validators
from cumulet.services.apigateway.rest.owned_store import OwnedStore
from cumulet.services.apigateway.rest.resources import integrations, methods, resources
from cumulet.services.apigateway.rest.running import Rest
from cumulet.services.apigateway.rest.stages import stages
from cumulet.services.apigateway.rest.stages import store as stage_store
from cumulet.services.apigateway.rest.trials import trials
from cumulet.services.apigateway.state import ApiGateway
from cumulet.storage.database import Database, Transaction
from cumulet.storage.seal import Seal

if TYPE_CHECKING:
    from cumulet.services.apigateway.rest.pipeline.front import RestFront

_OWNED = {
    "keys": ("apigateway_key", lambda: api.ApiKey),
    "plans": ("apigateway_plan", lambda: api.UsagePlan),
    "certificates": ("apigateway_certificate", lambda: api.ClientCertificate),
    "vpc_links": ("apigateway_vpc_link", lambda: api.VpcLink),
    "accounts": ("apigateway_account", lambda: api.Account),
    "associations": ("apigateway_association", lambda: api.DomainNameAccessAssociation),
}
_SCHEMAS = {
    "apigateway_api": api_store.SCHEMA,
    "apigateway_part": parts.SCHEMA,
    "apigateway_deployment": deployment_store.SCHEMA,
    "apigateway_stage": stage_store.SCHEMA,
    "apigateway_documentation": documentation_store.SCHEMA,
    "apigateway_plan_key": plan_key_store.SCHEMA,
    "apigateway_usage": usage_store.SCHEMA,
    "apigateway_certificate_key": certificate_keys.SCHEMA,
    "apigateway_domain": domain_store.SCHEMA,
    "apigateway_truststore": domain_store.TRUST_SCHEMA,
    **{table: owned_store.schema(table) for table, _ in _OWNED.values()},
}
_MODULES = (
    *(apis, resources, methods, integrations, models, validators, authorizers, gateway_responses, documentation),
    *(deployments, stages, keys, plans, usages, tagging, trials, certificates, vpc_links, accounts, entry),
    *(domain_names, base_path_mappings, access_associations, documents, sdks),
)


def _later(
    db: Database,
    certificates: OwnedStore[api.ClientCertificate],
    keys: certificate_keys.CertificateKeyStore,
    vpc_links: OwnedStore[api.VpcLink],
    **parts: Any,
) -> Later[RestFront]:
    """The data plane; see `ApiGateway.front`."""

    async def rest_tags(account: str, region: str, id: str) -> dict[str, str] | None:
        link = await vpc_links.get(account, region, id)
        return None if link is None else link.tags or {}

    async def http_tags(account: str, region: str, id: str) -> dict[str, str] | None:
        from cumulet.services.apigateway.http.links import link_tags  # noqa: PLC0415  as in `_migrate`

        return await link_tags(db)(account, region, id)

    def front() -> RestFront:
        from cumulet.services.apigateway.rest.pipeline.certificates import Certificates  # noqa: PLC0415
        from cumulet.services.apigateway.rest.pipeline.front import RestFront  # noqa: PLC0415

        return RestFront(certificates=Certificates(certificates, keys), links=Links(rest_tags, http_tags), **parts)

    return Later(front)


def _clean_up(state: ApiGateway) -> None:
    """Have what names an API go with it."""

    async def forget_plans(tx: Transaction, account: str, region: str, api_id: str) -> None:
        await plans.forget_api(state, tx, account, region, api_id)

    async def forget_mappings(tx: Transaction, account: str, region: str, api_id: str) -> None:
        await state.domains.store.forget_api(tx, api_id)
        state.domains.changed(tx)

    async def forget_documentation(tx: Transaction, account: str, region: str, api_id: str) -> None:
        await state.rest.documentation.delete(tx, api_id)

    state.cleaners.extend((forget_plans, forget_mappings, forget_documentation))


async def _migrate(db: Database) -> None:
    from cumulet.services.apigateway.http.store import SCHEMA  # noqa: PLC0415  usage plans are for its stages as well

    for name, schema in (_SCHEMAS | {"apigatewayv2": SCHEMA}).items():
        await db.migrate(name, schema)


def build(  # noqa: PLR0913  the composition root passes each part once
    *,
    db: Database,
    clock: Clock,
    calls: Calls,
    tasks: Tasks,
    client: Client,
    inner: Inner,
    domains: Domains,
    wall: Callable[[], float],
    secret: bytes,
    enforce: bool = False,
    limits: Limits | None = None,
) -> Service:
    """The service of REST APIs, on a database that it shares with the other two of API Gateway.

    `client` and `inner` are for integrations; `wall` is real time, in which tokens live; `secret` seals private keys; `enforce` tells whether permissions are enforced.
    """
    owned: dict[str, Any] = {field: OwnedStore(db, table, kind) for field, (table, kind) in _OWNED.items()}
    plan_keys = plan_key_store.PlanKeyStore(db)
    rest, counted = Rest(db), usage.Usage(usage_store.UsageStore(db), clock)
    admitted = admissions.Admissions(owned["keys"], owned["plans"], plan_keys)
    opener = gate.Gate(admitted, counted, Buckets(clock.now))
    limits = limits or Limits()
    keys_of_certificates = certificate_keys.CertificateKeyStore(db, Seal(secret, "apigateway"))

    front = _later(
        db,
        owned["certificates"],
        keys_of_certificates,
        owned["vpc_links"],
        rest=rest,
        gate=opener,
        calls=calls,
        clock=clock,
        tasks=tasks,
        client=client,
        inner=inner,
        limits=limits,
        enforce=enforce,
        wall=wall,
    )
    state = ApiGateway(
        db=db,
        clock=clock,
        calls=calls,
        limits=limits,
        later_front=front,
        rest=rest,
        domains=domains,
        plan_keys=plan_keys,
        usage=counted,
        admissions=admitted,
        gate=opener,
        certificate_keys=keys_of_certificates,
        **owned,
    )

    _clean_up(state)

    async def start() -> None:
        await _migrate(db)
        tasks.start("apigateway usage", state.usage.work())

    async def stop() -> None:
        await counted.flush()
        if front.made is not None:
            await front.made.logs.flush()

    return Service("apigateway", state, operations_in(OPERATIONS, *_MODULES), start, stop)
