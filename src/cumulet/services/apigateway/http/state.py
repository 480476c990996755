"""What the operations of HTTP and WebSocket APIs share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct

from cumulet.api import apigateway as rest_api
from cumulet.api import apigatewayv2 as v2
from cumulet.kernel.call import Call
from cumulet.kernel.calls import Calls
from cumulet.kernel.clock import Clock
from cumulet.kernel.once import Later
from cumulet.services.apigateway.domains.hosts import Domains
from cumulet.services.apigateway.http.deploying import deploy_automatically
from cumulet.services.apigateway.http.errors import missing, no_api
from cumulet.services.apigateway.http.portals.publications import PublicationStore
from cumulet.services.apigateway.http.running import Programs
from cumulet.services.apigateway.http.store import ApiStore, Kind, PartStore, SnapshotStore
from cumulet.services.apigateway.limits import Limits
from cumulet.services.apigateway.rest.apis.store import ApiStore as RestApiStore
from cumulet.services.apigateway.rest.owned_store import OwnedStore
from cumulet.services.apigateway.rest.stages.store import StageStore
from cumulet.services.apigateway.sockets.hub import Sockets
from cumulet.storage.database import Database, Transaction

if TYPE_CHECKING:
    from cumulet.services.apigateway.http.serving.front import HttpFront
    from cumulet.services.apigateway.sockets.front import SocketFront

P = TypeVar("P", bound=Struct)


class HttpApis(Struct, frozen=True, kw_only=True):
    """The parts of the service `apigatewayv2`. `programs` is what its data planes run, `front` answers requests to HTTP APIs, `sockets` the open connections,
    `socket_front` what the gateway asks about them. Custom domains lead to REST APIs as well,
    whose stores are looked at for that; `accounts` says what an account has set for APIs of all kinds."""

    db: Database
    clock: Clock
    calls: Calls
    apis: ApiStore
    parts: PartStore
    snapshots: SnapshotStore
    domains: Domains
    rest_apis: RestApiStore
    rest_stages: StageStore
    accounts: OwnedStore[rest_api.Account]
    limits: Limits
    programs: Programs
    publications: PublicationStore
    later_front: Later[HttpFront]
    sockets: Sockets
    later_socket_front: Later[SocketFront]

    @property
    def front(self) -> HttpFront:
        """The data plane of HTTP APIs, loaded when it is first asked for."""
        return self.later_front()

    @property
    def socket_front(self) -> SocketFront:
        """That of WebSocket APIs."""
        return self.later_socket_front()

    async def end_sockets(self) -> None:
        """Close what connections there are."""
        if self.later_socket_front.made is not None:
            await self.later_socket_front.made.stop()

    async def api(self, call: Call, api_id: str, within: Transaction | None = None) -> v2.Api:
        """The caller's API; raises NotFoundException."""
        owned = await self.apis.find(api_id, within)
        if owned is None or (owned.account, owned.region) != (call.account, call.region):
            raise no_api(call.account, api_id)
        return owned.api

    async def part(self, scope: str, kind: Kind[P], id: str, parent: str = "", within: Transaction | None = None) -> P:
        """A part; raises NotFoundException in AWS's words."""
        found = await self.parts.get(scope, kind, id, parent, within)
        if found is None:
            raise missing(kind.label, id)
        return found

    @asynccontextmanager
    async def change(
        self, call: Call, api_id: str, *, deploys: bool = True
    ) -> AsyncIterator[tuple[Transaction, v2.Api]]:
        """A change of an API: what is deployed by itself is deployed in the same transaction, and the data planes hear of it.

        `deploys` is False for what no deployment freezes. Raises NotFoundException.
        """
        async with self.db.transaction() as tx:
            item = await self.api(call, api_id, tx)
            yield tx, item
            if deploys:
                await deploy_automatically(self, tx, api_id)
            tx.after_commit(lambda: self.programs.forget(api_id))

    def gone(self, tx: Transaction, api_id: str, stage: str) -> None:
        """A stage is being deleted: its connections end, and one that gets its name is to begin with nothing."""

        def forget() -> None:
            self.programs.reset_authorizers(api_id, stage)
            self.sockets.end(api_id, stage)

        tx.after_commit(forget)


def place_of(call: Call) -> str:
    """The scope of what belongs to an account in a region rather than to an API."""
    return f"{call.account}/{call.region}"
