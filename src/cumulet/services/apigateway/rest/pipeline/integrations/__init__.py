"""Integrations of methods, one file a kind; each compiled once and run for every request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cumulet.services.apigateway.plane.lambdas import function_of
from cumulet.services.apigateway.rest.pipeline.integrations.functions import FunctionIntegration
from cumulet.services.apigateway.rest.pipeline.integrations.mock import MockIntegration
from cumulet.services.apigateway.rest.pipeline.integrations.plan import Integration, compile_plan
from cumulet.services.apigateway.rest.pipeline.integrations.proxy import ProxyIntegration
from cumulet.services.apigateway.rest.pipeline.integrations.services import ServiceIntegration
from cumulet.services.apigateway.rest.pipeline.integrations.web import WebIntegration, WebProxyIntegration

if TYPE_CHECKING:
    from cumulet.api import apigateway as api


def compile_integration(method: api.Method, arn: str, stage: str, path: str, verb: str) -> Integration | None:
    """The integration of a method; None when it has none. `arn` is the API's."""
    integration = method.method_integration
    if integration is None:
        return None
    verb = "*" if verb == "ANY" else verb
    plan = compile_plan(method, integration, f"{arn}/{stage}/{verb}{path}")
    if plan.kind == "AWS_PROXY":
        return ProxyIntegration(plan)
    if plan.kind == "AWS":
        return FunctionIntegration(plan) if function_of(plan.uri) is not None else ServiceIntegration(plan)
    if plan.kind == "HTTP_PROXY":
        return WebProxyIntegration(plan)
    return WebIntegration(plan) if plan.kind == "HTTP" else MockIntegration(plan)
