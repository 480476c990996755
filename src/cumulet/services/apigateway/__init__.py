"""Amazon API Gateway: REST APIs here (`apigateway`), HTTP and WebSocket APIs in `http/`, connections of the latter in `sockets/`."""

from __future__ import annotations

from cumulet.api.apigateway import OPERATIONS
from cumulet.kernel.calls import Calls
from cumulet.kernel.clock import Clock
from cumulet.kernel.service import Service, operations_in
from cumulet.kernel.tasks import Tasks
from cumulet.kernel.web import Client, Inner
from cumulet.services.apigateway.limits import Limits
from cumulet.services.apigateway.rest import api_store, deployment_store, parts, stage_store
from cumulet.services.apigateway.rest.running import Rest
from cumulet.services.apigateway.state import ApiGateway
from cumulet.storage.database import Database

_SCHEMAS = {
    "apigateway_api": api_store.SCHEMA,
    "apigateway_part": parts.SCHEMA,
    "apigateway_deployment": deployment_store.SCHEMA,
    "apigateway_stage": stage_store.SCHEMA,
}
_MODULES = ()


def build(
    *,
    db: Database,
    clock: Clock,
    calls: Calls,
    tasks: Tasks,
    client: Client,
    inner: Inner,
    enforce: bool = False,
    limits: Limits | None = None,
) -> Service:
    """The service of REST APIs, on a database that it shares with the other two of API Gateway.

    `client` and `inner` are for integrations; `enforce` tells whether permissions are enforced.
    """
    state = ApiGateway(
        db=db,
        clock=clock,
        calls=calls,
        limits=limits or Limits(),
        rest=Rest(
            api_store.ApiStore(db),
            parts.PartStore(db),
            deployment_store.DeploymentStore(db),
            stage_store.StageStore(db),
        ),
    )

    async def start() -> None:
        for name, schema in _SCHEMAS.items():
            await db.migrate(name, schema)

    return Service("apigateway", state, operations_in(OPERATIONS, *_MODULES), start)
