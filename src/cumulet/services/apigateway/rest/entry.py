"""Where clients that follow links begin: `GET /`, an answer that is links alone (`wire/hal`).

https://docs.aws.amazon.com/apigateway/api-reference/resource/api-gateway/
"""

from __future__ import annotations

from cumulet.api import apigateway as api
from cumulet.kernel.call import Call
from cumulet.services.apigateway.state import ApiGateway


def get_api_gateway(gateway: ApiGateway, call: Call, request: api.GetApiGatewayRequest) -> api.ApiGateway:
    return api.ApiGateway()
