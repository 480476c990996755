"""Operations that try a method or an authorizer of an API as it is now, deployed or not, and show the execution log."""

from __future__ import annotations

import time
from urllib.parse import urlsplit

import msgspec

from cumulet.api import apigateway as api
from cumulet.kernel.call import ANONYMOUS, Call
from cumulet.kernel.credentials import Credential
from cumulet.kernel.web import Asked, Judgement, Visit, WebRequest
from cumulet.services.apigateway.errors import bad_request, not_found
from cumulet.services.apigateway.plane.execution_log import ExecutionLog
from cumulet.services.apigateway.rest.lookup import need_method, need_resource
from cumulet.services.apigateway.rest.parts import AUTHORIZER
from cumulet.services.apigateway.rest.pipeline import authorization, program
from cumulet.services.apigateway.rest.pipeline.exchange import Exchange, Refused
from cumulet.services.apigateway.rest.pipeline.finish import shown_headers
from cumulet.services.apigateway.rest.pipeline.program import MethodPlan
from cumulet.services.apigateway.rest.pipeline.settings import Settings
from cumulet.services.apigateway.state import ApiGateway

STAGE = "test-invoke-stage"
_HOST = "testPrefix.testDomainName"
_SOURCE = "test-invoke-source-ip"
_OWN = frozenset({"x-amzn-requestid", "x-amz-apigw-id"})
_OWN_OF_REFUSALS = _OWN | {"content-type"}


async def test_invoke_method(
    gateway: ApiGateway, call: Call, request: api.TestInvokeMethodRequest
) -> api.TestInvokeMethodResponse:
    resource = await need_resource(gateway, call, request.rest_api_id, request.resource_id)
    methods = resource.resource_methods or {}
    need_method(resource, request.http_method if request.http_method in methods or "ANY" not in methods else "ANY")
    ex = await _exchange(
        gateway,
        call,
        request.rest_api_id,
        _web(
            request.http_method if request.http_method != "ANY" else "GET",
            request.path_with_query_string or resource.path or "/",
            _lines(request.headers, request.multi_value_headers),
            request.body,
        ),
        request.stage_variables,
    )
    found = ex.program.router.find(ex.request.method, ex.path)
    if found is not None and found[0].resource_id == request.resource_id:
        ex.method, ex.path_values = found
    else:
        ex.method = _plan_of(ex, resource.path or "/", request.http_method)
    ex.identity = _identity(call)
    ex.log = ExecutionLog(ex.request_id, ex.now)
    started = time.perf_counter()
    answer = await gateway.front.run(ex)
    latency = int((time.perf_counter() - started) * 1000)
    hidden = _OWN if ex.refused is None else _OWN_OF_REFUSALS
    lines = [line for line in shown_headers(ex, answer) if line[0].lower() not in hidden]
    multi: dict[str, list[str]] = {}
    for name, value in lines:
        if value not in multi.setdefault(name, []):
            multi[name].append(value)
    body = answer.body if isinstance(answer.body, bytes) else b"".join([piece async for piece in answer.body])
    return api.TestInvokeMethodResponse(
        status=answer.status,
        body=body.decode("utf-8", "replace"),
        headers={name: values[-1] for name, values in multi.items()},
        multi_value_headers=multi,
        log=ex.log.text(),
        latency=latency,
    )


async def test_invoke_authorizer(
    gateway: ApiGateway, call: Call, request: api.TestInvokeAuthorizerRequest
) -> api.TestInvokeAuthorizerResponse:
    await gateway.rest_api(call, request.rest_api_id)
    authorizer = await gateway.rest.parts.get(request.rest_api_id, AUTHORIZER, request.authorizer_id)
    if authorizer is None:
        raise not_found("Invalid Authorizer identifier specified")
    lines = _lines(request.headers, request.multi_value_headers)
    web = _web("GET", request.path_with_query_string or "/", lines, request.body)
    ex = await _exchange(gateway, call, request.rest_api_id, web, request.stage_variables)
    rules = authorization.of_authorizer(authorizer, ex.program.arn, [])
    ex.method = MethodPlan(
        resource_id="test-invoke-resource-id",
        resource_path=ex.path,
        verb="GET",
        operation_name="",
        authorization=rules,
        key_required=False,
        validation=None,
        settings=Settings(),
        integration=None,
    )
    ex.identity = _identity(call)
    log = ex.log = ExecutionLog(ex.request_id, ex.now)
    started = time.perf_counter()
    response = api.TestInvokeAuthorizerResponse(client_status=200)
    try:
        if rules.kind == "TOKEN":
            await authorization.check(ex)
            response.claims = ex.authorizer.get("claims")
        else:
            answer = await authorization.answer_of(ex, rules)
            response.principal_id = answer.principal
            response.policy = answer.policy.text if answer.policy is not None else None
            response.authorization = {
                name: [value if isinstance(value, str) else msgspec.json.encode(value).decode()]
                for name, value in answer.context.items()
            }
    except Refused as refused:
        response.client_status = {"UNAUTHORIZED": 401, "ACCESS_DENIED": 403}.get(refused.kind, 500)
        log.fail(refused.reason or refused.message or refused.kind)
    response.latency = int((time.perf_counter() - started) * 1000)
    response.log = log.text()
    return response


async def _exchange(
    gateway: ApiGateway, call: Call, api_id: str, web: WebRequest, variables: dict[str, str] | None
) -> Exchange:
    rest_api = await gateway.rest_api(call, api_id)
    definition = await gateway.rest.parts.definition(rest_api)
    stage = api.Stage(stage_name=STAGE, variables=variables)
    compiled = program.compile(definition, stage, call.account, call.region)
    visit = Visit(
        request=web,
        request_id=call.request_id,
        endpoint=call.endpoint,
        identify=_nobody,
        authorize=_anything,
        judge=_allowed,
    )
    ex = Exchange(gateway.front, compiled, visit, web.path, gateway.clock.now())
    ex.test = True
    return ex


def _plan_of(ex: Exchange, path: str, verb: str) -> MethodPlan:
    """The method that is tried, when the path given leads elsewhere: by its resource's own path."""
    found = ex.program.router.find(verb, path.replace("{", "").replace("+}", "").replace("}", ""))
    if found is None:
        raise bad_request("Invalid path specified for the method")
    return found[0]


def _web(method: str, target: str, lines: list[tuple[str, str]], body: str | None) -> WebRequest:
    parts = urlsplit(target if target.startswith("/") else f"/{target}")
    headers = {name.lower(): value for name, value in lines}
    headers.setdefault("host", _HOST)
    return WebRequest(
        method=method,
        path=parts.path or "/",
        query=parts.query,
        headers=headers,
        lines=lines,
        content=(body or "").encode(),
        scheme="https",
        peer=_SOURCE,
    )


def _lines(headers: dict[str, str] | None, multi: dict[str, list[str]] | None) -> list[tuple[str, str]]:
    lines = [(name, value) for name, values in (multi or {}).items() for value in values]
    there = {name.lower() for name, _ in lines}
    return lines + [(name, value) for name, value in (headers or {}).items() if name.lower() not in there]


def _identity(call: Call) -> dict[str, str]:
    """Who tries it stands for the client."""
    principal = call.principal
    return {
        "accessKey": call.access_key,
        "accountId": principal.account,
        "apiKey": "test-invoke-api-key",
        "apiKeyId": "test-invoke-api-key-id",
        "caller": principal.id,
        "user": principal.id,
        "userArn": principal.arn,
    }


async def _nobody() -> Credential:
    return Credential("", None, ANONYMOUS)


async def _anything(*_: object) -> None:
    return None


async def _allowed(call: Call, credential: Credential, asked: Asked) -> Judgement:
    return Judgement(allowed=True)
