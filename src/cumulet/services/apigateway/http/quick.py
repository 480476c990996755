"""Quick create: an API with one integration, one route and a stage at its root, made of a target alone."""

from __future__ import annotations

from msgspec.structs import replace

from cumulet.api import apigatewayv2 as api
from cumulet.kernel.ids import short_id
from cumulet.services.apigateway.http.deploying import deploy_automatically
from cumulet.services.apigateway.http.errors import bad
from cumulet.services.apigateway.http.routes import check_key
from cumulet.services.apigateway.http.state import HttpApis
from cumulet.services.apigateway.http.store import INTEGRATION, ROUTE, STAGE
from cumulet.storage.database import Transaction

ROOT = "$default"


async def create(http: HttpApis, tx: Transaction, item: api.Api, request: api.CreateApiRequest) -> None:
    """The managed parts of a new API. Raises BadRequestException."""
    if item.protocol_type != "HTTP":
        raise bad("Target is only supported for HTTP APIs.")
    assert item.api_id is not None
    assert request.target is not None
    integration = _integration(request.target, request.credentials_arn)
    key = request.route_key or ROOT
    check_key(item, key)
    route = api.Route(
        api_gateway_managed=True,
        api_key_required=False,
        authorization_type="NONE",
        route_id=short_id(7),
        route_key=key,
        target=f"integrations/{integration.integration_id}",
    )
    stage = api.Stage(
        api_gateway_managed=True,
        auto_deploy=True,
        created_date=http.clock.now(),
        last_updated_date=http.clock.now(),
        default_route_settings=api.RouteSettings(detailed_metrics_enabled=False),
        route_settings={},
        stage_name=ROOT,
        stage_variables={},
        tags={},
    )
    await http.parts.put(tx, item.api_id, INTEGRATION, integration)
    await http.parts.put(tx, item.api_id, ROUTE, route)
    await http.parts.put(tx, item.api_id, STAGE, stage)
    await deploy_automatically(http, tx, item.api_id)


async def update(http: HttpApis, tx: Transaction, item: api.Api, request: api.UpdateApiRequest) -> None:
    """Change the managed integration and route. Raises BadRequestException when the API was not made of a target."""
    assert item.api_id is not None
    routes = [route for route in await http.parts.page(item.api_id, ROUTE, within=tx) if route.api_gateway_managed]
    integrations = [
        one for one in await http.parts.page(item.api_id, INTEGRATION, within=tx) if one.api_gateway_managed
    ]
    if not routes or not integrations:
        raise bad(
            "Target, RouteKey and CredentialsArn can only be updated for an API that was created with quick create."
        )
    if request.route_key and request.route_key != routes[0].route_key:
        check_key(item, request.route_key)
        await http.parts.put(tx, item.api_id, ROUTE, replace(routes[0], route_key=request.route_key))
    old = integrations[0]
    target = request.target or old.integration_uri or ""
    role = old.credentials_arn if request.credentials_arn is None else request.credentials_arn
    changed = replace(_integration(target, role or None), integration_id=old.integration_id)
    await http.parts.put(tx, item.api_id, INTEGRATION, changed)


def _integration(target: str, role: str | None) -> api.Integration:
    function = target.startswith("arn:")
    if not function and not target.startswith(("http://", "https://")):
        raise bad("Target must be a fully qualified URL or the ARN of a Lambda function.")
    return api.Integration(
        api_gateway_managed=True,
        connection_type="INTERNET",
        credentials_arn=role,
        integration_id=short_id(7),
        integration_method="POST" if function else "ANY",
        integration_type="AWS_PROXY" if function else "HTTP_PROXY",
        integration_uri=target,
        payload_format_version="2.0" if function else "1.0",
        timeout_in_millis=30_000,
    )
