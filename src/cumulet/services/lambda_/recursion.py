"""Operations on what happens when a function takes part in a loop; `lineage` finds the loops.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html
"""

from __future__ import annotations

from msgspec.structs import replace

from cumulet.api import lambda_ as api
from cumulet.kernel.call import Call
from cumulet.services.lambda_.names import refer
from cumulet.services.lambda_.state import Lambda


async def put_function_recursion_config(
    lambda_: Lambda, call: Call, request: api.PutFunctionRecursionConfigRequest
) -> api.PutFunctionRecursionConfigResponse:
    key = refer(call, request.function_name).key
    async with lambda_.change(key) as tx:
        function = await lambda_.function(key, tx)
        await lambda_.store.put_function(tx, key, replace(function, recursive_loop=request.recursive_loop))
    return api.PutFunctionRecursionConfigResponse(recursive_loop=request.recursive_loop)


async def get_function_recursion_config(
    lambda_: Lambda, call: Call, request: api.GetFunctionRecursionConfigRequest
) -> api.GetFunctionRecursionConfigResponse:
    function = await lambda_.function(refer(call, request.function_name).key)
    return api.GetFunctionRecursionConfigResponse(recursive_loop=function.recursive_loop)
