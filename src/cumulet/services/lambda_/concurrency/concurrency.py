"""Operations on reserved concurrency, and the account's settings."""

from __future__ import annotations

from msgspec import json
from msgspec.structs import replace

from cumulet.api import lambda_ as api
from cumulet.kernel.call import Call
from cumulet.services.lambda_.errors import invalid, no_function, unlabelled
from cumulet.services.lambda_.model import PROVISIONED, Provision
from cumulet.services.lambda_.names import LATEST, FunctionKey, refer
from cumulet.services.lambda_.state import Lambda


async def put_function_concurrency(
    lambda_: Lambda, call: Call, request: api.PutFunctionConcurrencyRequest
) -> api.Concurrency:
    key = _unqualified(call, request.function_name)
    wanted = request.reserved_concurrent_executions
    async with lambda_.change(key) as tx:
        function = await lambda_.store.function(key, tx)
        if function is None:
            raise no_function(f"{key.arn}:{LATEST}")
        latest = await lambda_.store.version(key, LATEST, tx)
        if latest is not None and latest.configuration.capacity_provider_config is not None:
            raise invalid("Reserved concurrency is not supported for functions with a capacity provider.")
        provisioned = [
            json.decode(document, type=Provision).requested
            for _, document in await lambda_.store.settings(PROVISIONED, key, "", 10_000, tx)
        ]
        if wanted < sum(provisioned):
            raise unlabelled(
                f" ReservedConcurrentExecutions  {wanted} should not be lower than function's total provisioned "
                f"concurrency [{sum(provisioned)}]."
            )
        others = await lambda_.store.reserved(key.account, key.region, tx)
        others.pop(key.name, None)
        taken = sum(others.values())
        for name, document in await lambda_.store.settings_of_account(PROVISIONED, key.account, key.region):
            if name != key.name and name not in others:
                taken += json.decode(document, type=Provision).requested
        limits = lambda_.limits
        if wanted and limits.concurrent_executions - taken - wanted < limits.minimum_unreserved:
            raise unlabelled(
                "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution "
                f"below its minimum value of [{limits.minimum_unreserved}]."
            )
        await lambda_.store.put_function(tx, key, replace(function, reserved=wanted))
    return api.Concurrency(reserved_concurrent_executions=wanted)


async def get_function_concurrency(
    lambda_: Lambda, call: Call, request: api.GetFunctionConcurrencyRequest
) -> api.GetFunctionConcurrencyResponse:
    function = await lambda_.function(refer(call, request.function_name).key)
    return api.GetFunctionConcurrencyResponse(reserved_concurrent_executions=function.reserved)


async def delete_function_concurrency(
    lambda_: Lambda, call: Call, request: api.DeleteFunctionConcurrencyRequest
) -> None:
    key = _unqualified(call, request.function_name)
    async with lambda_.change(key) as tx:
        function = await lambda_.function(key, tx)
        await lambda_.store.put_function(tx, key, replace(function, reserved=None))


async def get_account_settings(
    lambda_: Lambda, call: Call, request: api.GetAccountSettingsRequest
) -> api.GetAccountSettingsResponse:
    functions, size = await lambda_.store.usage(call.account, call.region)
    limits = lambda_.limits
    return api.GetAccountSettingsResponse(
        account_limit=api.AccountLimit(
            total_code_size=limits.total_code_size,
            code_size_unzipped=limits.code_size_unzipped,
            code_size_zipped=limits.code_size_zipped,
            concurrent_executions=limits.concurrent_executions,
            unreserved_concurrent_executions=await lambda_.unreserved(call.account, call.region),
        ),
        account_usage=api.AccountUsage(total_code_size=size, function_count=functions),
    )


def _unqualified(call: Call, name: str) -> FunctionKey:
    reference = refer(call, name)
    if reference.qualifier is not None:
        raise invalid(
            "This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. "
            "Please specify either a function name or an unqualified function ARN."
        )
    return reference.key
