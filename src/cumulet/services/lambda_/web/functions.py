"""Operations on web functions, and on the account's settings."""

from __future__ import annotations

from contextlib import AsyncExitStack

from cumulet.api import lambda_web as api
from cumulet.kernel.call import Call
from cumulet.services.lambda_.urls.operations import host_at
from cumulet.services.lambda_.web import checks, endpoints, revisions
from cumulet.services.lambda_.web.errors import conflict, invalid
from cumulet.services.lambda_.web.model import WebFunction
from cumulet.services.lambda_.web.names import WebKey, checked, key_of
from cumulet.services.lambda_.web.state import Web

_KIND = "web function"


async def create_web_function(
    web: Web, call: Call, request: api.CreateWebFunctionRequest
) -> api.CreateWebFunctionResponse:
    key = WebKey(call.account, call.region, checked(request.function_name, "functionName"))
    tags = request.tags or {}
    check_tags(tags, web)
    now = web.clock.now()
    function = WebFunction(created=now, updated=now, tags=tags)
    endpoint = endpoints.made(web, key, request.endpoint_config) if request.endpoint_config is not None else None
    made = None
    async with AsyncExitStack() as stack:
        if request.revision_config is not None:
            made = await stack.enter_async_context(revisions.made(web, call, key, request.revision_config))
        async with web.change(key) as tx:
            if taken := await web.store.regions_of(key.account, key.name, tx):
                message = f"The web function {key.name} exists already, in {taken[0]}: its name is the account's in all Regions."
                raise conflict(message, _KIND, key.name)
            await web.store.put_function(tx, key, function)
            if endpoint is not None:
                endpoint = await endpoints.add(web, tx, key, endpoint)
            if made is not None:
                await revisions.add(web, tx, key, *made)
    if made is not None:
        web.settle(key)
    shown = function.summary(key)
    return api.CreateWebFunctionResponse(
        revision=made[0].summary(key) if made is not None else None,
        endpoint=endpoint.summary(key, host_at(call.endpoint)) if endpoint is not None else None,
        tags=request.tags,
        **{name: getattr(shown, name) for name in shown.__struct_fields__},
    )


async def get_web_function(web: Web, call: Call, request: api.GetWebFunctionRequest) -> api.GetWebFunctionResponse:
    key = key_of(call, request.function_name)
    shown = (await web.function(key)).summary(key)
    return api.GetWebFunctionResponse(**{name: getattr(shown, name) for name in shown.__struct_fields__})


async def list_web_functions(
    web: Web, call: Call, request: api.ListWebFunctionsRequest
) -> api.ListWebFunctionsResponse:
    found = [function.summary(key) for key, function in await web.store.functions(call.account, call.region)]
    found = checks.filtered(found, request.filters, {"state": lambda one: one.state})
    shown, token = checks.page(found, request.max_results, request.next_token, lambda one: one.function_name)
    return api.ListWebFunctionsResponse(functions=shown, next_token=token)


async def delete_web_function(web: Web, call: Call, request: api.DeleteWebFunctionRequest) -> None:
    key = key_of(call, request.function_name)
    async with web.change(key) as tx:
        await web.function(key, tx)
        served = await web.store.endpoints(key, tx)
        await web.store.delete_function(tx, key)
        unused = await web.store.drop_unused(tx)
    web.retire([f"{endpoint.id}." for endpoint in served], unused)


async def get_web_account_settings(
    web: Web, call: Call, request: api.GetWebAccountSettingsRequest
) -> api.GetWebAccountSettingsResponse:
    del request
    limits = web.limits
    return api.GetWebAccountSettingsResponse(
        account_quotas=api.AccountQuotas(
            max_total_arm_v_cpus=limits.total_vcpus,
            max_total_rate_limit=limits.total_rate,
            max_revisions_per_function=limits.revisions,
            max_endpoints_per_function=limits.endpoints,
        ),
        account_usage=api.AccountUsage(function_count=len(await web.store.functions(call.account, call.region))),
    )


def check_tags(tags: dict[str, str], web: Web) -> None:
    """Raises ValidationException."""
    if len(tags) > web.limits.tags:
        raise invalid(f"A web function can have {web.limits.tags} tags.")
