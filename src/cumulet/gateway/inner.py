"""Requests of this node to its own services, in their protocols: what API Gateway and workflows send to other services."""

import logging
from typing import TYPE_CHECKING

from cumulet.kernel.call import Call
from cumulet.kernel.credentials import Credential
from cumulet.kernel.errors import AwsError, InternalFailure
from cumulet.kernel.streams import BytesStream
from cumulet.kernel.web import WebAnswer, WebRequest
from cumulet.wire import route
from cumulet.wire.http import HttpRequest, HttpResponse

if TYPE_CHECKING:
    from cumulet.gateway.dispatch import Dispatcher

log = logging.getLogger(__name__)

_SIGNING = {
    "stepfunctions": "states",
    "cloudwatch": "monitoring",
    "dynamodbstreams": "dynamodb",
    "apigatewaymanagementapi": "execute-api",
    "apigatewayv2": "apigateway",
}


class InnerGateway:
    """The steps of `chain` without signatures and hosts: who calls is given instead."""

    def __init__(self, dispatcher: "Dispatcher") -> None:
        self._dispatcher = dispatcher

    async def send(self, call: Call, credential: Credential | None, service: str, request: WebRequest) -> WebAnswer:
        """See kernel/web.py."""
        response = await self._answer(call, credential, _as_wire(call, service, request))
        headers = [*response.headers.items(), *response.more]
        headers += [("Set-Cookie", cookie) for cookie in response.cookies]
        headers.append(("x-amzn-RequestId", call.request_id))
        return WebAnswer(status=response.status, headers=_once(headers), body=response.body)

    async def _answer(self, call: Call, credential: Credential | None, request: HttpRequest) -> HttpResponse:
        try:
            found = route.resolve(request)
        except route.RouteError as refused:
            return refused.answer(call.request_id)
        try:
            if found.codec.streaming:
                request.body = BytesStream(request.content)
            struct = found.decode(request)
            result = await self._dispatcher.run(call, found.service, found.operation, struct, credential)
            return found.codec.encode(result, call.request_id)
        except AwsError as refused:
            return found.codec.encode_error(refused, call.request_id)
        except Exception:
            log.exception("request %s to %s failed", call.request_id, found.service)
            failure = InternalFailure("We encountered an internal error. The node's log has the details.")
            return found.codec.encode_error(failure, call.request_id)


def _as_wire(call: Call, service: str, request: WebRequest) -> HttpRequest:
    headers = dict(request.headers)
    if not headers:
        for name, value in request.lines:
            key = name.lower()
            headers[key] = f"{headers[key]},{value}" if key in headers else value
    signing = _SIGNING.get(service, service)
    # What says which service is meant; nobody looks at the rest of a signature here.
    headers["authorization"] = f"AWS4-HMAC-SHA256 Credential=-/-/{call.region}/{signing}/aws4_request"
    headers["host"] = f"{signing}.{call.region}.amazonaws.com"
    return HttpRequest(
        request.method,
        request.path or "/",
        request.query,
        headers,
        BytesStream(request.content),
        call.endpoint.partition(":")[0],
        call.source_ip,
        request.content,
    )


def _once(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Without a second x-amzn-RequestId, where the codec has given one."""
    seen: set[str] = set()
    found = []
    for name, value in headers:
        key = name.lower()
        if key == "x-amzn-requestid":
            if key in seen:
                continue
            seen.add(key)
        found.append((name, value))
    return found
