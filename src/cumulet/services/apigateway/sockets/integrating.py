"""What a route of a WebSocket API leads to: functions, addresses, services, or nothing but templates.

https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-integrations.html
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from cumulet.api import apigatewayv2 as v2
from cumulet.delivery.roles import Roles
from cumulet.expressions.regexes import InvalidExpression, TooComplex
from cumulet.kernel.call import Call, Principal
from cumulet.kernel.errors import AwsError
from cumulet.kernel.web import Client, Inner, WebRequest
from cumulet.services.apigateway.http import expressions
from cumulet.services.apigateway.plane import outgoing
from cumulet.services.apigateway.plane.execution_log import ExecutionLog, tell_received, tell_sent
from cumulet.services.apigateway.plane.lambdas import SERVICE, CannotInvoke, Functions, function_of
from cumulet.services.apigateway.sockets.events import Moment, context, proxy_event
from cumulet.services.apigateway.sockets.exchange import finder
from cumulet.services.apigateway.sockets.log import tell_invocation, tell_invoked, without_secrets
from cumulet.services.apigateway.sockets.program import SocketProgram, SocketRoute, response_for

Handshake = Mapping[str, Any] | None


class Failed(Exception):
    """The integration did not do its work; `message` is what the client reads, the text of the error what logs say."""

    def __init__(self, why: str, message: str = "Internal server error", status: int = 500) -> None:
        super().__init__(why)
        self.message = message
        self.status = status


class Said(Struct):
    """What an integration says: a status, which counts for $connect, and a body for the client where there is one."""

    status: int
    body: bytes | None = None
    headers: dict[str, str] = {}


class SocketIntegrator(Struct, frozen=True):
    """What integrations need. `now` is the clock's, in seconds."""

    functions: Functions
    client: Client
    inner: Inner
    roles: Roles
    now: Callable[[], float]

    async def run(self, program: SocketProgram, route: SocketRoute, moment: Moment, handshake: Handshake) -> Said:
        """Run a route's integration. Raises Failed."""
        integration = route.integration
        if integration is None:
            raise Failed("the route has no integration")
        kind = integration.integration_type
        seconds = (integration.timeout_in_millis or 29_000) / 1000
        try:
            async with asyncio.timeout(seconds):
                if kind == "AWS_PROXY":
                    said = await self._proxy(program, integration, moment, handshake)
                elif kind == "HTTP_PROXY":
                    body = _event(program, moment, handshake)
                    said = await self._address(program, integration, moment, handshake, body)
                else:
                    said = await self._templated(program, route, integration, moment, handshake)
        except TimeoutError:
            raise Failed("Execution failed due to a timeout error", "Endpoint request timed out", 504) from None
        if moment.log is not None:
            moment.log.say("Successfully completed execution")
        return said

    async def _proxy(
        self, program: SocketProgram, integration: v2.Integration, moment: Moment, handshake: Handshake
    ) -> Said:
        event = _event(program, moment, handshake)
        told = None if moment.log is None else _told(moment.log, program, moment, handshake, event)
        payload = await self._invoke(program, integration, moment, event, told)
        try:
            value = msgspec.json.decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise Failed(
                "Execution failed due to configuration error: Malformed Lambda proxy response", status=502
            ) from None
        if value is None and moment.kind != "CONNECT":
            return Said(200)
        if not isinstance(value, dict) or (moment.kind == "CONNECT" and "statusCode" not in value):
            raise Failed("Execution failed due to configuration error: Malformed Lambda proxy response", status=502)
        return _said(value)

    async def _templated(
        self,
        program: SocketProgram,
        route: SocketRoute,
        integration: v2.Integration,
        moment: Moment,
        handshake: Handshake,
    ) -> Said:
        """An integration with templates on both sides."""
        tree = context(moment)
        find = finder(moment, program.variables, handshake)
        body = await _request_body(program, integration, moment, handshake, tree)
        kind = integration.integration_type
        headers: dict[str, str] = {}
        if kind == "MOCK":
            status, answer = _mock(body), b""
        elif kind == "HTTP":
            said = await self._address(program, integration, moment, handshake, body)
            status, answer, headers = said.status, said.body or b"", said.headers
        elif function_of(_uri(program, integration, moment, handshake)) is not None:
            status, answer = 200, await self._invoke(program, integration, moment, body)
        else:
            status, answer = await self._service(program, integration, moment, body)

        def select(path: tuple[str, ...]) -> Any:
            if path in (("integration", "response", "statuscode"), ("integration", "response", "status")):
                return status
            if path[:3] == ("integration", "response", "header"):
                return headers.get(path[3].lower())
            if path[:3] == ("integration", "response", "body"):
                return expressions.in_body(answer, path[3]) if len(path) > 3 else answer.decode(errors="replace")
            return find(path)

        expression = integration.integration_response_selection_expression or "${integration.response.statuscode}"
        selected = expressions.compile(expression).evaluate(select) or ""
        try:
            response = response_for(route.responses, selected)
        except (InvalidExpression, TooComplex) as error:
            raise Failed(f"the key of an integration response: {error}") from error
        if response is None:
            return Said(status, answer or None)
        return await _transformed(program, response, status, answer, tree)

    async def _invoke(
        self,
        program: SocketProgram,
        integration: v2.Integration,
        moment: Moment,
        payload: bytes,
        told: bytes | None = None,
    ) -> bytes:
        """What a function returns; `told` is the payload as the log has it, where that has it otherwise. Raises Failed."""
        uri = _uri(program, integration, moment, None)
        found = function_of(uri)
        if found is None:
            raise Failed(f"{uri} names no function")
        call = call_of(moment, f"{moment.connection.arn}/{moment.key}")
        began = 0.0
        if (log := moment.log) is not None:
            tell_invocation(log, moment, found.function, payload if told is None else told)
            began = self.now()
        try:
            invoked = await self.functions.invoke(call, found.function, payload, role=integration.credentials_arn or "")
        except CannotInvoke as error:
            raise Failed(error.error.message) from error
        if log is not None:
            tell_invoked(log, moment, self._since(began), invoked.payload)
        if invoked.error is not None:
            raise Failed(f"Lambda invocation failed: {invoked.payload[:500].decode(errors='replace')}", status=502)
        return invoked.payload

    async def _address(
        self,
        program: SocketProgram,
        integration: v2.Integration,
        moment: Moment,
        handshake: Handshake,
        body: bytes,
    ) -> Said:
        find = finder(moment, program.variables, handshake)
        lines = [("Content-Type", "application/json")]
        url = _uri(program, integration, moment, handshake)
        for name, value in (integration.request_parameters or {}).items():
            place, _, key = name.removeprefix("integration.request.").partition(".")
            text = _parameter(value, find)
            if text is not None and place == "header":
                lines = [line for line in lines if line[0].lower() != key.lower()] + [(key, text)]
            elif text is not None and place == "path":
                url = url.replace(f"{{{key}}}", quote(text, safe=""))
            elif text is not None and place == "querystring":
                url += ("&" if "?" in url else "?") + f"{quote(key, safe='')}={quote(text, safe='')}"
        if integration.integration_type == "HTTP_PROXY" and moment.kind == "MESSAGE":
            body = (moment.body or "").encode() if not moment.encoded else base64.b64decode(moment.body or "")
        method = integration.integration_method or "POST"
        request = outgoing.Outgoing(method="POST" if method == "ANY" else method, url=url, lines=lines, content=body)
        began = 0.0
        if (log := moment.log) is not None:
            proxied = handshake is not None and integration.integration_type == "HTTP_PROXY"
            tell_sent(log, url, lines, _told(log, program, moment, handshake, body) if proxied else body)
            began = self.now()
        try:
            answer = await outgoing.send(self.client, request)
        except outgoing.TimedOut:
            raise TimeoutError from None
        except (outgoing.BadUrl, outgoing.Unreachable) as error:
            raise Failed(f"the integration cannot be reached: {error}") from error
        assert isinstance(answer.body, bytes)
        if log is not None:
            tell_received(log, answer.status, self._since(began), answer.headers, answer.body)
        return Said(answer.status, answer.body, {name.lower(): value for name, value in answer.headers})

    async def _service(
        self, program: SocketProgram, integration: v2.Integration, moment: Moment, body: bytes
    ) -> tuple[int, bytes]:
        from cumulet.services.apigateway.rest.pipeline.integrations import services  # noqa: PLC0415  seldom used
        from cumulet.services.apigateway.rest.pipeline.integrations.plan import Sent  # noqa: PLC0415

        found = services.matched(_uri(program, integration, moment, None))
        if found is None:
            raise Failed("Execution failed due to configuration error: Invalid ARN specified in the integration's URI")
        find = finder(moment, program.variables)
        sent = Sent({}, {}, {}, body)
        for name, value in (integration.request_parameters or {}).items():
            place, _, key = name.removeprefix("integration.request.").partition(".")
            held = {"header": sent.headers, "querystring": sent.query}.get(place)
            if held is not None and (text := _parameter(value, find)) is not None:
                held[key] = [text]
        connection = moment.connection
        request: WebRequest = services.request_of(
            found, integration.integration_method or "POST", sent, connection.api_id, ""
        )
        call = replace(call_of(moment, f"{connection.arn}/{moment.key}"), region=found["region"])
        credential = None
        if integration.credentials_arn:
            try:
                call, credential = await self.roles.assume(
                    call, integration.credentials_arn, "BackplaneAssumeRoleSession", SERVICE
                )
            except AwsError as error:
                raise Failed(error.message) from error
        began = 0.0
        if (log := moment.log) is not None:
            tell_sent(log, services.url_of(found, request), request.lines, request.content)
            began = self.now()
        answer = await self.inner.send(call, credential, services.service_of(found), request)
        content = answer.body if isinstance(answer.body, bytes) else b"".join([piece async for piece in answer.body])
        if log is not None:
            tell_received(log, answer.status, self._since(began), answer.headers, content)
        return answer.status, content

    def _since(self, began: float) -> int:
        """Milliseconds, for the log."""
        return int((self.now() - began) * 1000)


def call_of(moment: Moment, source_arn: str) -> Call:
    """What integrations and authorizers are called with."""
    connection = moment.connection
    return Call(
        account=connection.account,
        region=connection.region,
        principal=Principal.service(SERVICE, connection.account),
        request_id=moment.id,
        endpoint=connection.endpoint,
        source_ip=connection.source_ip,
        source_arn=source_arn,
    )


def _event(program: SocketProgram, moment: Moment, handshake: Handshake) -> bytes:
    return msgspec.json.encode(proxy_event(moment, program.variables, dict(handshake) if handshake else None))


def _told(log: ExecutionLog, program: SocketProgram, moment: Moment, handshake: Handshake, event: bytes) -> bytes:
    """The event of a proxy integration as a log has it."""
    return event if handshake is None else _event(program, moment, without_secrets(log, handshake))


def _uri(program: SocketProgram, integration: v2.Integration, moment: Moment, handshake: Handshake) -> str:
    text = integration.integration_uri or ""
    if "$" not in text:
        return text
    return expressions.compile(text).evaluate(finder(moment, program.variables, handshake)) or text


def _parameter(value: str, find: expressions.Find) -> str | None:
    """A mapped parameter: `'static'`, or an expression with or without its `$`."""
    if len(value) >= 2 and value[0] == value[-1] == "'":
        return value[1:-1]
    text = value.removeprefix("route.").removeprefix("method.")
    return expressions.compile(text if text.startswith("$") else f"${text}").evaluate(find)


async def _request_body(
    program: SocketProgram, integration: v2.Integration, moment: Moment, handshake: Handshake, tree: dict[str, Any]
) -> bytes:
    """What goes to an integration that is no proxy: made by a template, or the message as it came. Raises Failed."""
    templates = integration.request_templates or {}
    expression = integration.template_selection_expression
    key = "$default"
    if expression:
        key = expressions.compile(expression).evaluate(finder(moment, program.variables, handshake)) or "$default"
    template = templates.get(key, templates.get("$default"))
    body = moment.body or ""
    if template is None:
        behavior = integration.passthrough_behavior or "WHEN_NO_MATCH"
        if behavior == "NEVER" or (behavior == "WHEN_NO_TEMPLATES" and templates):
            raise Failed("no template fits, and passing through is not allowed", "Unsupported Media Type", 415)
        if integration.integration_type == "MOCK":
            return b'{"statusCode":200}'
        return body.encode()
    rendered = await _render(template, body, tree, program.variables, dict(handshake) if handshake else {})
    return rendered.encode("utf-8", "replace")


async def _render(
    template: str, body: str, tree: dict[str, Any], variables: dict[str, str], handshake: Mapping[str, Any]
) -> str:
    from cumulet.services.apigateway.plane import templates  # noqa: PLC0415  with Velocity: proxies need none

    def work(quick: bool) -> str:
        return templates.render(
            template,
            body=body,
            headers=handshake.get("headers") or {},
            query=handshake.get("queryStringParameters") or {},
            path={},
            context=tree,
            stage_variables=variables,
            quick=quick,
        )

    try:
        return await templates.rendered(work, body.encode("utf-8", "replace"))
    except templates.TemplateError as error:
        raise Failed(f"Execution failed due to configuration error: Unable to transform: {error}") from error


def _mock(body: bytes) -> int:
    """The status that a template asks for. Raises Failed."""
    try:
        value = msgspec.json.decode(body)
        status = value.get("statusCode") if isinstance(value, dict) else None
    except msgspec.DecodeError:
        status = None
    if isinstance(status, str) and status.isdigit():
        status = int(status[:4])
    if not isinstance(status, int) or not 100 <= status <= 599:
        raise Failed("Execution failed due to configuration error: Unable to parse statusCode of the mock integration")
    return status


async def _transformed(
    program: SocketProgram, response: v2.IntegrationResponse, status: int, answer: bytes, tree: dict[str, Any]
) -> Said:
    templates = response.response_templates or {}
    key = "$default"
    if (expression := response.template_selection_expression) and not expression.startswith("\\"):
        key = expressions.compile(expression).evaluate(lambda path: None) or expression
    template = templates.get(key, templates.get("$default"))
    if template is not None:
        text = await _render(template, answer.decode(errors="replace"), tree, program.variables, {})
        override = tree.get("responseOverride")
        if isinstance(override, dict) and isinstance(override.get("status"), int):
            status = override["status"]
        answer = text.encode()
    if response.content_handling_strategy == "CONVERT_TO_TEXT" and template is None:
        answer = base64.b64encode(answer)
    return Said(status, answer or None)


def _said(value: Mapping[str, Any]) -> Said:
    """A function's proxy response. Raises Failed."""
    status = value.get("statusCode", 200)
    if isinstance(status, str) and status.isdigit():
        status = int(status[:4])
    body = value.get("body")
    if isinstance(status, bool) or not isinstance(status, int) or not 100 <= status <= 599:
        raise Failed("Execution failed due to configuration error: Malformed Lambda proxy response", status=502)
    if body is None:
        content = None
    elif isinstance(body, str):
        content = body.encode()
    else:
        content = msgspec.json.encode(body)
    if value.get("isBase64Encoded") is True and content:
        try:
            content = base64.b64decode(content, validate=True)
        except ValueError as error:
            raise Failed("the body is not base64", status=502) from error
    headers = value.get("headers")
    lines = {str(name).lower(): str(one) for name, one in headers.items()} if isinstance(headers, dict) else {}
    return Said(status, content, lines)
