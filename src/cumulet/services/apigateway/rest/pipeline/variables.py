"""`$context` of a request to a REST API, as templates, logs and mappings see it, and as functions get it.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html
"""

from __future__ import annotations

from typing import Any

import msgspec

from cumulet.services.apigateway.plane import client_certificates
from cumulet.services.apigateway.plane.ciphers import iana
from cumulet.services.apigateway.plane.context import request_time
from cumulet.services.apigateway.rest.pipeline.exchange import Exchange

IDENTITY = (
    "accessKey",
    "accountId",
    "caller",
    "cognitoAuthenticationProvider",
    "cognitoAuthenticationType",
    "cognitoIdentityId",
    "cognitoIdentityPoolId",
    "principalOrgId",
    "sourceIp",
    "user",
    "userAgent",
    "userArn",
)


def proxy_context(ex: Exchange) -> dict[str, Any]:
    """`requestContext` of the event that a function gets, in AWS's order; what is not known is null."""
    program, plan, request = ex.program, ex.method, ex.request
    domain = ex.domain
    context: dict[str, Any] = {
        "resourceId": plan.resource_id,
        "resourcePath": plan.resource_path,
        "httpMethod": request.method,
        "extendedRequestId": ex.extended_id,
        "requestTime": request_time(ex.now),
        "path": ex.full_path,
        "accountId": program.account,
        "protocol": "HTTP/1.1",
        "stage": program.stage_name,
        "domainPrefix": domain.partition(":")[0].partition(".")[0],
        "requestTimeEpoch": int(ex.now * 1000),
        "requestId": ex.request_id,
        "identity": _identity(ex),
        "domainName": domain,
        "deploymentId": program.deployment_id,
        "apiId": program.api_id,
    }
    if plan.operation_name:
        context["operationName"] = plan.operation_name
    if program.canary_of:
        context["isCanaryRequest"] = program.is_canary
    if ex.authorizer:
        context["authorizer"] = ex.authorizer
    return context


def _identity(ex: Exchange) -> dict[str, Any]:
    identity: dict[str, Any] = dict.fromkeys(IDENTITY)
    identity["sourceIp"] = ex.request.peer
    identity["userAgent"] = ex.request.headers.get("user-agent")
    if ex.identity:
        identity |= ex.identity
    if ex.visit.vpc_endpoint:
        identity["vpceId"] = ex.visit.vpc_endpoint
    if ex.visit.certificate is not None:
        identity["clientCert"] = client_certificates.shown(ex.visit.certificate)
    return identity


def tree(ex: Exchange) -> dict[str, Any]:
    """All of `$context` that is known by now, for templates and mappings."""
    context = proxy_context(ex) if hasattr(ex, "method") else _early(ex)
    context["identity"] = {name: value or "" for name, value in context["identity"].items()}
    if ex.program.traced:
        context["xrayTraceId"] = ex.trace.partition("Root=")[2].partition(";")[0]
    if ex.integration:
        context["integration"] = ex.integration
        context["integrationLatency"] = ex.integration.get("latency")
        context["integrationStatus"] = ex.integration.get("integrationStatus")
    if (tls := ex.visit.tls) is not None:
        context["tlsVersion"], context["cipherSuite"] = tls.version, iana(tls.cipher)
    if ex.base_path:
        context["customDomain"] = {"basePathMatched": ex.base_path}
    if ex.refused is not None:
        message = ex.refused.message
        context["error"] = {
            "message": message or "",
            "messageString": msgspec.json.encode(message).decode(),
            "responseType": ex.refused.kind,
            "validationErrorString": ex.refused.validation,
        }
    if "isCanaryRequest" in context:
        context["isCanaryRequest"] = "true" if context["isCanaryRequest"] else "false"
    return context


def _early(ex: Exchange) -> dict[str, Any]:
    """Of a request for which there is no method."""
    program, request = ex.program, ex.request
    domain = ex.domain
    return {
        "httpMethod": request.method,
        "resourcePath": "",
        "extendedRequestId": ex.extended_id,
        "requestTime": request_time(ex.now),
        "requestTimeEpoch": int(ex.now * 1000),
        "path": ex.full_path,
        "accountId": program.account,
        "protocol": "HTTP/1.1",
        "stage": program.stage_name,
        "domainPrefix": domain.partition(":")[0].partition(".")[0],
        "domainName": domain,
        "requestId": ex.request_id,
        "identity": _identity(ex),
        "deploymentId": program.deployment_id,
        "apiId": program.api_id,
    }
