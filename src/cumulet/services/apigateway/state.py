"""What the operations of API Gateway share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from msgspec import Struct

from cumulet.kernel.call import Call
from cumulet.kernel.calls import Calls
from cumulet.kernel.clock import Clock
from cumulet.kernel.once import Later
from cumulet.services.apigateway.domains.hosts import Domains
from cumulet.services.apigateway.errors import not_found
from cumulet.services.apigateway.limits import Limits
from cumulet.services.apigateway.rest.keys.admissions import Admissions
from cumulet.services.apigateway.rest.keys.gate import Gate
from cumulet.services.apigateway.rest.keys.store import PlanKeyStore
from cumulet.services.apigateway.rest.keys.usage import Usage
from cumulet.services.apigateway.rest.owned_store import OwnedStore
from cumulet.services.apigateway.rest.running import Rest
from cumulet.storage.database import Database, Transaction

if TYPE_CHECKING:
    from cumulet.api import apigateway as api
    from cumulet.services.apigateway.rest.certificates.keys import CertificateKeyStore
    from cumulet.services.apigateway.rest.pipeline.front import RestFront

Clean = Callable[[Transaction, str, str, str], Awaitable[None]]
"""Takes an API's account, region and id when it is being deleted."""


class ApiGateway(Struct, frozen=True, kw_only=True):
    """The parts of the service `apigateway`."""

    db: Database
    clock: Clock
    calls: Calls
    limits: Limits
    rest: Rest
    later_front: Later[RestFront]
    domains: Domains
    keys: OwnedStore[api.ApiKey]
    plans: OwnedStore[api.UsagePlan]
    plan_keys: PlanKeyStore
    usage: Usage
    admissions: Admissions
    gate: Gate
    certificates: OwnedStore[api.ClientCertificate]
    certificate_keys: CertificateKeyStore
    vpc_links: OwnedStore[api.VpcLink]
    accounts: OwnedStore[api.Account]
    associations: OwnedStore[api.DomainNameAccessAssociation]
    cleaners: list[Clean] = []

    @property
    def front(self) -> RestFront:
        """The data plane, which is loaded when it is first asked for: half of what the service is made of."""
        return self.later_front()

    async def rest_api(self, call: Call, api_id: str, within: Transaction | None = None) -> api.RestApi:
        """The caller's API; raises NotFoundException."""
        owned = await self.rest.apis.find(api_id, within)
        if owned is None or (owned.account, owned.region) != (call.account, call.region):
            raise not_found(f"Invalid API identifier specified {call.account}:{api_id}")
        return owned.api
