"""Tags of everything that can have them, by ARN.

https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-tagging-supported-resources.html
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from cumulet.api import apigateway as api
from cumulet.kernel.arn import Arn
from cumulet.kernel.call import Call
from cumulet.services.apigateway.domains.hosts import key_of
from cumulet.services.apigateway.errors import bad_request, not_found
from cumulet.services.apigateway.state import ApiGateway
from cumulet.services.apigateway.tags import check_tags
from cumulet.storage.database import Transaction

Tagged = tuple[Any, Callable[[Transaction], Awaitable[None]]]
"""A struct with `tags`, and what writes it back."""


async def tag_resource(gateway: ApiGateway, call: Call, request: api.TagResourceRequest) -> None:
    async with gateway.db.transaction() as tx:
        thing, put = await _find(gateway, call, request.resource_arn, tx)
        tags = (thing.tags or {}) | request.tags
        check_tags(tags, gateway.limits)
        thing.tags = tags
        await put(tx)


async def untag_resource(gateway: ApiGateway, call: Call, request: api.UntagResourceRequest) -> None:
    async with gateway.db.transaction() as tx:
        thing, put = await _find(gateway, call, request.resource_arn, tx)
        thing.tags = {name: value for name, value in (thing.tags or {}).items() if name not in request.tag_keys} or None
        await put(tx)


async def get_tags(gateway: ApiGateway, call: Call, request: api.GetTagsRequest) -> api.Tags:
    async with gateway.db.transaction() as tx:
        thing, _ = await _find(gateway, call, request.resource_arn, tx)
    return api.Tags(tags=thing.tags or {})


async def _find(gateway: ApiGateway, call: Call, text: str, tx: Transaction) -> Tagged:
    """Raises NotFoundException, and BadRequestException for what is no ARN of such a thing."""
    try:
        arn = Arn.parse(text)
    except ValueError:
        raise bad_request("Invalid ARN specified in the request") from None
    names = arn.resource.strip("/").split("/")
    if arn.service != "apigateway" or arn.region != call.region:
        raise bad_request("Invalid ARN specified in the request")
    match names:
        case ("restapis", api_id):
            return await _api(gateway, call, tx, api_id)
        case ("restapis", api_id, "stages", stage):
            return await _stage(gateway, call, tx, api_id, stage)
        case ("domainnames", name):
            return await _domain(gateway, call, tx, name)
        case ("domainnameaccessassociations", *_):
            return await _owned(gateway, call, tx, "domainnameaccessassociations", text)
        case (kind, id) if kind in _STORES:
            return await _owned(gateway, call, tx, kind, id)
    raise bad_request("Invalid ARN specified in the request")


async def _api(gateway: ApiGateway, call: Call, tx: Transaction, api_id: str) -> Tagged:
    rest_api = await gateway.rest_api(call, api_id, tx)

    async def put(tx: Transaction) -> None:
        await gateway.rest.apis.put(tx, rest_api)

    return rest_api, put


async def _stage(gateway: ApiGateway, call: Call, tx: Transaction, api_id: str, name: str) -> Tagged:
    await gateway.rest_api(call, api_id, tx)
    stage = await gateway.rest.stages.get(api_id, name, tx)
    if stage is None:
        raise not_found("Invalid stage identifier specified")

    async def put(tx: Transaction) -> None:
        await gateway.rest.stages.put(tx, api_id, stage)
        gateway.rest.changed(tx, api_id)

    return stage, put


async def _domain(gateway: ApiGateway, call: Call, tx: Transaction, name: str) -> Tagged:
    name, _, id = name.partition("+")
    domain = await gateway.domains.store.get(key_of(call.region, name, id), tx)
    if domain is None or domain.account != call.account:
        raise not_found("Invalid domain name identifier specified")

    async def put(tx: Transaction) -> None:
        await gateway.domains.store.put(tx, domain)
        gateway.domains.changed(tx)

    return domain.body, put


_STORES: dict[str, tuple[str, str]] = {
    "apikeys": ("keys", "API Key"),
    "usageplans": ("plans", "Usage Plan"),
    "clientcertificates": ("certificates", "Client Certificate"),
    "vpclinks": ("vpc_links", "Vpc Link"),
    "domainnameaccessassociations": ("associations", "domain name access association"),
}
"""By the first name in an ARN: where such things are kept, and what they are called."""


async def _owned(gateway: ApiGateway, call: Call, tx: Transaction, kind: str, id: str) -> Tagged:
    field, name = _STORES[kind]
    store = getattr(gateway, field)
    thing = await store.get(call.account, call.region, id, tx)
    if thing is None:
        raise not_found(f"Invalid {name} identifier specified")

    async def put(tx: Transaction) -> None:
        await store.put(tx, call.account, call.region, id, thing)
        if kind in ("apikeys", "usageplans"):
            tx.after_commit(gateway.admissions.forget)

    return thing, put
