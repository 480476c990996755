"""What a route leads to: a function, an address, or an operation of an AWS service."""

from __future__ import annotations

import base64
import binascii
import logging
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

import msgspec
from msgspec import Struct

from cumulet.delivery import proxied
from cumulet.delivery.roles import Roles
from cumulet.kernel.call import Call
from cumulet.kernel.credentials import Credential
from cumulet.kernel.deadline import Deadline
from cumulet.kernel.errors import AwsError
from cumulet.kernel.web import Client, Inner, WebAnswer
from cumulet.services.apigateway.http.mappings import Change
from cumulet.services.apigateway.http.serving.events import proxy_event
from cumulet.services.apigateway.http.serving.exchange import Exchange, Refused
from cumulet.services.apigateway.http.serving.program import Target
from cumulet.services.apigateway.plane import outgoing
from cumulet.services.apigateway.plane.lambdas import CALLER, SERVICE, CannotInvoke, Functions, function_of
from cumulet.services.apigateway.plane.links import TAG, Links, NoLink, through

log = logging.getLogger(__name__)

_OWN = frozenset({"host", "content-length", "forwarded", "via"})
_LARGEST = 10 * 1024 * 1024


class Integrator(Struct, frozen=True):
    """What integrations need."""

    functions: Functions
    client: Client
    inner: Inner
    roles: Roles
    links: Links

    async def run(self, exchange: Exchange, target: Target) -> WebAnswer:
        """The integration's answer, before the API's own mapping of it. Raises Refused."""
        if target.subtype is not None:
            return await self._service(exchange, target)
        if target.integration.integration_type == "AWS_PROXY":
            return await self._function(exchange, target)
        return await self._address(exchange, target)

    async def _function(self, exchange: Exchange, target: Target) -> WebAnswer:
        integration = target.integration
        uri = target.uri.evaluate(exchange.find) or ""
        found = function_of(uri)
        if found is None:
            raise Refused(500, "Internal Server Error", f"{uri} names no function")
        version = integration.payload_format_version or "1.0"
        event = proxy_event(exchange, version)
        call = exchange.call(exchange.arn(f"{exchange.stage}/{_permission(exchange.key)}"))
        try:
            with Deadline(target.seconds):
                invoked = await self.functions.invoke(
                    call, found.function, event, role=integration.credentials_arn or "", client=exchange.caller
                )
        except TimeoutError:
            raise Refused(503, "Service Unavailable", "Endpoint request timed out") from None
        except CannotInvoke as error:
            if error.throttled:
                raise Refused(503, "Service Unavailable", error.error.message) from None
            why = (
                "The IAM role configured on the integration or API Gateway doesn't have permissions to call the integration. "
                "Check the permissions and try again."
                if error.refused
                else error.error.message
            )
            raise Refused(500, "Internal Server Error", why) from None
        exchange.integration["integrationStatus"] = 200
        if invoked.error is not None:
            why = f"The Lambda function returned the following error: {invoked.payload[:500].decode(errors='replace')}"
            raise Refused(500, "Internal Server Error", why)
        try:
            return _second(invoked.payload) if version == "2.0" else _first(invoked.payload)
        except proxied.BadAnswer as error:
            why = f"The response from the Lambda function doesn't match the format that API Gateway expects: {error}"
            raise Refused(500, "Internal Server Error", why) from None

    async def _address(self, exchange: Exchange, target: Target) -> WebAnswer:
        integration, request = target.integration, exchange.request
        private = await self._private(exchange, target)
        url = _url(exchange, target, private)
        tls = integration.tls_config
        method = integration.integration_method or "ANY"
        lines = [(name, value) for name, value in exchange.headers.items() if name not in _OWN]
        host = request.headers.get("host", "")
        lines.append(("forwarded", f"for={request.peer};host={host};proto={request.scheme}"))
        lines.append(("via", "HTTP/1.1 AmazonAPIGateway"))
        lines, url = apply_request(exchange, target.request, lines, url)
        seconds = target.seconds
        send = outgoing.Outgoing(
            method=request.method if method == "ANY" else method,
            url=url,
            lines=lines,
            content=request.content,
            seconds=seconds,
            server_name=(tls.server_name_to_verify or "") if tls is not None else "",
        )
        try:
            answer = await outgoing.send(self.client, send)
        except outgoing.TimedOut:
            raise Refused(503, "Service Unavailable", "Endpoint request timed out") from None
        except (outgoing.BadUrl, outgoing.Unreachable) as error:
            raise Refused(503, "Service Unavailable", f"the integration cannot be reached: {error}") from None
        exchange.integration["integrationStatus"] = answer.status
        return answer

    async def _private(self, exchange: Exchange, target: Target) -> str:
        """Where the integration's VPC link leads; empty where it has none, or the link does not say. Raises Refused."""
        integration = target.integration
        if integration.connection_type != "VPC_LINK":
            return ""
        try:
            return await self.links.target(exchange.account, exchange.region, integration.connection_id or "")
        except NoLink as error:
            raise Refused(503, "Service Unavailable", str(error)) from None

    async def _service(self, exchange: Exchange, target: Target) -> WebAnswer:
        subtype = target.subtype
        assert subtype is not None
        given = {}
        for name, expression in target.parameters.items():
            value = expression.value(exchange.find)
            if value is not None:
                given[name] = value
        lacking = [name for name in subtype.required if name not in given]
        if lacking:
            raise Refused(400, "Bad Request", f"the request gives no {', '.join(lacking)}")
        region = given.pop("Region", None)
        try:
            request = subtype.make(given)
        except (ValueError, msgspec.DecodeError) as error:
            raise Refused(400, "Bad Request", str(error)) from None
        call = exchange.call(exchange.arn(f"{exchange.stage}/{_permission(exchange.key)}"))
        if region:
            call = msgspec.structs.replace(call, region=str(region))
        acting, credential = await self._acting(exchange, call, target.integration.credentials_arn or "")
        try:
            with Deadline(target.seconds):
                answer = await self.inner.send(acting, credential, subtype.service, request)
        except TimeoutError:
            raise Refused(503, "Service Unavailable", "Endpoint request timed out") from None
        exchange.integration["integrationStatus"] = answer.status
        return answer

    async def _acting(self, exchange: Exchange, call: Call, role: str) -> tuple[Call, Credential]:
        """The call as a role makes it, or the client that signed its request. Raises Refused."""
        if role == CALLER and exchange.caller is not None and exchange.credential is not None:
            return msgspec.structs.replace(exchange.caller, region=call.region), exchange.credential
        try:
            return await self.roles.assume(call, role, "BackplaneAssumeRoleSession", SERVICE)
        except AwsError as error:
            raise Refused(500, "Internal Server Error", error.message) from None


def _permission(key: str) -> str:
    """A route as ARNs of functions' permissions name it: method and path, with parameters as they are written."""
    if " " not in key:
        return key
    method, _, path = key.partition(" ")
    return f"{'*' if method == 'ANY' else method}{path}"


def _url(exchange: Exchange, target: Target, private: str) -> str:
    """The integration's address, its path parameters filled in. Raises Refused for parts that would lead out of it.

    A load balancer or Cloud Map service is at the address `private`, and is asked for the whole path of the request.
    """
    uri = target.integration.integration_uri or ""
    if uri.startswith("arn:"):
        if not private:
            why = f"{uri} has no address here: give the VPC link a tag {TAG} such as http://127.0.0.1:8080"
            raise Refused(503, "Service Unavailable", why)
        if any(part in (".", "..") for part in exchange.path.split("/")):
            raise Refused(400, "Bad Request", "a path with . or ..")
        uri = private + quote(exchange.path, safe="/~:@!$&'()*+,;=")
        return f"{uri}?{exchange.request.query}" if exchange.request.query else uri
    if private:
        uri = through(private, uri)
    for name, value in exchange.path_parameters.items():
        if any(part in (".", "..") for part in value.split("/")):
            raise Refused(400, "Bad Request", "a path with . or ..")
        uri = uri.replace(f"{{{name}}}", quote(value, safe="/~:@!$&'()*+,;=")).replace(
            f"{{{name}+}}", quote(value, safe="/~:@!$&'()*+,;=")
        )
    for name, value in exchange.program.variables.items():
        uri = uri.replace(f"${{stageVariables.{name}}}", value)
    if exchange.request.query:
        uri += ("&" if "?" in uri else "?") + exchange.request.query
    return uri


def apply_request(
    exchange: Exchange, changes: list[Change], lines: list[tuple[str, str]], url: str
) -> tuple[list[tuple[str, str]], str]:
    """The headers and address of an integration's request, mapped."""
    if not changes:
        return lines, url
    base, _, text = url.partition("?")
    query = parse_qsl(text, keep_blank_values=True)
    for change in changes:
        value = change.value.evaluate(exchange.find) if change.action != "remove" else None
        if change.action != "remove" and value is None:
            continue
        if change.place == "path":
            scheme, _, rest = base.partition("://")
            path = quote(value or "", safe="/~:@!$&'()*+,;=%")
            base = f"{scheme}://{rest.partition('/')[0]}/{path.removeprefix('/')}"
        elif change.place == "header":
            lines = _changed(lines, change, value, str.lower)
        else:
            query = _changed(query, change, value, str)
    return lines, f"{base}?{urlencode(query)}" if query else base


def apply_response(exchange: Exchange, changes: list[Change], answer: WebAnswer) -> None:
    """Map an integration's answer."""

    def find(path: tuple[str, ...]) -> Any:
        match path:
            case ("response", "header", name):
                held = [value for key, value in answer.headers if key.lower() == name.lower()]
                return ",".join(held) if held else None
            case ("response", "statuscode"):
                return answer.status
            case ("response", "body"):
                return answer.body.decode(errors="replace") if isinstance(answer.body, bytes) else None
            case ("response", "body", name):
                from cumulet.services.apigateway.http.expressions import in_body  # noqa: PLC0415

                return in_body(answer.body, name) if isinstance(answer.body, bytes) else None
        return exchange.find(path)

    headers = answer.headers
    status = answer.status
    for change in changes:
        value = change.value.evaluate(find) if change.action != "remove" else None
        if change.action != "remove" and value is None:
            continue
        if change.place == "statuscode":
            if value is not None and value.isdigit() and 200 <= int(value) <= 599:
                status = int(value)
        else:
            headers = _changed(headers, change, value, str.lower)
    answer.headers, answer.status = outgoing.sendable(headers), status


def _changed(lines: list[tuple[str, str]], change: Change, value: str | None, fold: Any) -> list[tuple[str, str]]:
    name = fold(change.name)
    if change.action != "append":
        lines = [line for line in lines if fold(line[0]) != name]
    return lines if value is None else [*lines, (change.name, value)]


def _second(payload: bytes) -> WebAnswer:
    """An answer in format 2.0. Raises BadAnswer."""
    found = proxied.whole(payload, "")
    body = found.body
    assert isinstance(body, bytes)
    if len(body) > _LARGEST:
        raise proxied.BadAnswer("The body is larger than 10 MB.")
    lines = [(name.lower(), value) for name, value in found.headers.items()]
    lines += [("set-cookie", cookie) for cookie in found.cookies]
    return WebAnswer(status=found.status, headers=lines, body=body)


def _first(payload: bytes) -> WebAnswer:
    """An answer in format 1.0, which says its status. Raises BadAnswer."""
    try:
        value = msgspec.json.decode(payload)
    except (msgspec.DecodeError, RecursionError) as error:
        raise proxied.BadAnswer("It is no JSON.") from error
    if not isinstance(value, dict) or "statusCode" not in value:
        raise proxied.BadAnswer("It has no statusCode.")
    several = value.get("multiValueHeaders") or {}
    if not isinstance(several, dict) or not all(isinstance(held, list) for held in several.values()):
        raise proxied.BadAnswer("multiValueHeaders is no object of lists.")
    body = value.get("body")
    if body is not None and not isinstance(body, str):
        raise proxied.BadAnswer("The body is no text.")
    found = _second(msgspec.json.encode(value | {"cookies": None}))
    names = {name.lower() for name in several}
    lines = [line for line in found.headers if line[0] not in names]
    lines += [(name.lower(), str(one)) for name, held in several.items() for one in held]
    if value.get("isBase64Encoded") is True and body:
        try:
            found.body = base64.b64decode(body, validate=True)
        except binascii.Error as error:
            raise proxied.BadAnswer("The body is not base64.") from error
    return WebAnswer(status=found.status, headers=outgoing.sendable(lines), body=found.body)
