"""TestInvokeMethod and TestInvokeAuthorizer; what does them is loaded with the first, as the data plane is."""

from __future__ import annotations

from cumulet.api import apigateway as api
from cumulet.kernel.call import Call
from cumulet.services.apigateway.state import ApiGateway


async def test_invoke_method(
    gateway: ApiGateway, call: Call, request: api.TestInvokeMethodRequest
) -> api.TestInvokeMethodResponse:
    from cumulet.services.apigateway.rest.trials import testing  # noqa: PLC0415  see above

    return await testing.test_invoke_method(gateway, call, request)


async def test_invoke_authorizer(
    gateway: ApiGateway, call: Call, request: api.TestInvokeAuthorizerRequest
) -> api.TestInvokeAuthorizerResponse:
    from cumulet.services.apigateway.rest.trials import testing  # noqa: PLC0415  see above

    return await testing.test_invoke_authorizer(gateway, call, request)
