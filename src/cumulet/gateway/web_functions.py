"""Web functions at addresses of their own, `<id>.<place>.lambda-web.<region>...` hosts: who may ask, and HTTP around it.

What an endpoint is, and what its server answers, the service says through its `front`.
"""

import logging
import re
import time
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from cumulet.gateway.body import read_content
from cumulet.gateway.forwarding import body_of, http_response, web_request
from cumulet.kernel.call import Call
from cumulet.kernel.errors import AwsError
from cumulet.kernel.web import WebAnswer
from cumulet.wire import sigv4
from cumulet.wire.http import HttpRequest, HttpResponse

if TYPE_CHECKING:
    from cumulet.gateway.chain import Gateway

log = logging.getLogger(__name__)

MARK = ".lambda-web."
_HOST = re.compile(r"([a-z]{16})(?:\.[a-z0-9]{3})?\.lambda-web\.([a-z0-9-]+)\.", re.IGNORECASE)
_STYLE: sigv4.Style = "rest-json"
_JSON = "application/json"


class Invocation(Struct):
    """What permission is asked for where requests must be signed."""

    endpoint_arn: str


async def serve(gateway: "Gateway", request: HttpRequest, request_id: str) -> HttpResponse:
    """The answer at a web function's endpoint: never raises but when the client goes away."""
    started = time.perf_counter()
    error = ""
    try:
        answer = await _answer(gateway, request, request_id)
        response = http_response(answer)
    except AwsError as refused:
        response, error = _refusal(refused.status, refused.code, refused.message), refused.code
    except Exception:
        log.exception("request %s to a web function failed", request_id)
        response, error = _refusal(502, "InternalFailure", "Internal Server Error"), "InternalFailure"
    seconds = time.perf_counter() - started
    caller = ("", "", "", request_id)
    gateway.recorder.add("lambda-web", "InvokeWebFunctionEndpoint", response.status, error, caller, seconds)
    return response


async def _answer(gateway: "Gateway", request: HttpRequest, request_id: str) -> WebAnswer:
    service: Any = await gateway.dispatcher.service("lambda-web")
    front = service.state.front
    named = _HOST.match(request.headers.get("host", ""))
    site = await front.find(named[1].lower(), named[2].lower()) if named is not None else None
    if site is None:
        raise AwsError("There is no such endpoint.", code="ResourceNotFoundException", status=404)
    if site.signed:
        await read_content(request, front.signed_body)
        await _authorize(gateway, request, request_id, site)
    answer: WebAnswer = await front.answer(site, web_request(request), *body_of(request))
    return answer


async def _authorize(gateway: "Gateway", request: HttpRequest, request_id: str, site: Any) -> None:
    signed = sigv4.parse(request, _STYLE)
    if signed is None:
        raise AwsError("Missing Authentication Token", code="MissingAuthenticationTokenException", status=403)
    credential = await gateway.authenticator.identify(request, signed, _STYLE)
    call = Call(
        account=site.key.account,
        region=site.region,
        principal=credential.principal,
        request_id=request_id,
        endpoint=f"{request.scheme}://{request.headers.get('host', 'localhost')}",
        source_ip=request.peer,
        access_key=credential.access_key,
    )
    authorizer = gateway.dispatcher.authorizer
    if authorizer is not None and authorizer.needs_check(call, credential):
        asked = Invocation(site.arn)
        await authorizer.check(call, credential, "lambda-web", "InvokeWebFunctionEndpoint", asked)


def _refusal(status: int, kind: str, message: str) -> HttpResponse:
    headers = {"Content-Type": _JSON, "x-amzn-ErrorType": kind}
    return HttpResponse(status, headers, msgspec.json.encode({"message": message}))
