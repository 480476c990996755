"""What the operations of API Gateway share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from cumulet.kernel.call import Call
from cumulet.kernel.calls import Calls
from cumulet.kernel.clock import Clock
from cumulet.services.apigateway.errors import not_found
from cumulet.services.apigateway.limits import Limits
from cumulet.services.apigateway.rest.running import Rest
from cumulet.storage.database import Database, Transaction

if TYPE_CHECKING:
    from cumulet.api import apigateway as api


class ApiGateway(Struct, frozen=True, kw_only=True):
    """The parts of the service `apigateway`."""

    db: Database
    clock: Clock
    calls: Calls
    limits: Limits
    rest: Rest

    async def rest_api(self, call: Call, api_id: str, within: Transaction | None = None) -> api.RestApi:
        """The caller's API; raises NotFoundException."""
        owned = await self.rest.apis.find(api_id, within)
        if owned is None or (owned.account, owned.region) != (call.account, call.region):
            raise not_found(f"Invalid API identifier specified {call.account}:{api_id}")
        return owned.api
