"""Functions at addresses of their own, `<id>.lambda-url.<region>...` hosts: who may call them, and HTTP around it.

What a URL is, and what its function answers, the Lambda service says through its `front`.
"""

import logging
import re
import time
from collections.abc import AsyncIterable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from cumulet.gateway.authenticate import ANYBODY
from cumulet.gateway.body import read_content
from cumulet.kernel.call import Call
from cumulet.kernel.credentials import Credential
from cumulet.kernel.errors import AwsError
from cumulet.wire import sigv4
from cumulet.wire.http import HttpRequest, HttpResponse

if TYPE_CHECKING:
    from cumulet.gateway.chain import Gateway

log = logging.getLogger(__name__)

MARK = ".lambda-url."
_HOST = re.compile(r"([a-z0-9-]{1,63})\.lambda-url\.([a-z0-9-]+)\.", re.IGNORECASE)
_JSON = "application/json"
_HELP = "For troubleshooting Function URL authorization issues, see: https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"
_STYLE: sigv4.Style = "rest-json"


async def serve(gateway: "Gateway", request: HttpRequest, request_id: str) -> HttpResponse:
    """The answer of a function's URL: never raises but when the client goes away."""
    started = time.perf_counter()
    visit = _Visit(gateway, request, request_id)
    error = ""
    try:
        response = await visit.answer()
    except AwsError as refused:
        response, error = _refusal(refused), refused.code
    except Exception:
        log.exception("request %s to a function's URL failed", request_id)
        response, error = HttpResponse(502, {"Content-Type": _JSON}, b"Internal Server Error"), "InternalFailure"
    response.headers["x-amzn-RequestId"] = request_id
    call = visit.call
    caller = (call.account, call.region, call.principal.arn) if call is not None else ("", "", "")
    gateway.recorder.add(
        "lambda",
        "InvokeFunctionUrl",
        response.status,
        error,
        (*caller, request_id),
        time.perf_counter() - started,
    )
    return response


class _Visit:
    def __init__(self, gateway: "Gateway", request: HttpRequest, request_id: str) -> None:
        self._gateway = gateway
        self._request = request
        self._request_id = request_id
        self.call: Call | None = None

    async def answer(self) -> HttpResponse:
        request, gateway = self._request, self._gateway
        lambda_: Any = (await gateway.dispatcher.service("lambda")).state
        front = lambda_.front
        named = _HOST.match(request.headers.get("host", ""))
        url = await front.find(named[2].lower(), named[1].lower()) if named is not None else None
        if url is None:
            raise _forbidden(None)
        asked = front.preflight(url, request.method, request.headers)
        if asked is not None:
            return HttpResponse(200, asked)
        await self._read(front.body_limit)
        credential = await self._authenticate(url.auth_type)
        await self._authorize(front, url, credential)
        answer = await self._invoke(front, url)
        front.shared(url, request.headers, answer)
        return _response(answer.status, answer.headers, answer.cookies, answer.body)

    async def _read(self, limit: int) -> None:
        try:
            await read_content(self._request, limit)
        except AwsError as error:
            if error.status != 413:
                raise
            message = f"Request must be smaller than {limit} bytes for the InvokeFunction operation"
            raise AwsError(message, code="RequestEntityTooLargeException", status=413) from None

    async def _authenticate(self, auth_type: str) -> Credential:
        """Who asks; nobody in particular where the URL asks nobody who he is, signed or not."""
        if auth_type == "NONE":
            return ANYBODY
        signed = sigv4.parse(self._request, _STYLE)
        if signed is None:
            raise _forbidden(f"Forbidden. {_HELP}")
        return await self._gateway.authenticator.identify(self._request, signed, _STYLE)

    async def _authorize(self, front: Any, url: Any, credential: Credential) -> None:
        request = self._request
        call = self.call = Call(
            account=url.account,
            region=url.region,
            principal=credential.principal,
            request_id=self._request_id,
            endpoint=f"{request.scheme}://{request.headers.get('host', 'localhost')}",
            source_ip=request.peer,
            trace=request.headers.get("x-amzn-trace-id", ""),
            access_key=credential.access_key,
        )
        authorizer = self._gateway.dispatcher.authorizer
        if authorizer is None or not authorizer.needs_check(call, credential):
            return
        try:
            await authorizer.check(call, credential, "lambda", "InvokeFunctionUrl", front.invocation(url))
        except AwsError:
            raise _forbidden(f"Forbidden. {_HELP}") from None

    async def _invoke(self, front: Any, url: Any) -> Any:
        request = self._request
        host = request.headers.get("host", "")
        port = host.rpartition(":")[2] if ":" in host else "443" if request.scheme == "https" else "80"
        return await front.answer(
            url,
            self.call,
            method=request.method,
            path=request.path,
            query=request.query,
            headers=request.headers,
            body=request.content,
            scheme=request.scheme,
            port=port,
        )


def _response(
    status: int, headers: Mapping[str, str], cookies: tuple[str, ...], body: bytes | AsyncIterable[bytes]
) -> HttpResponse:
    return HttpResponse(status, dict(headers), body, cookies)


def _forbidden(message: str | None) -> AwsError:
    return AwsError(message or "", code="AccessDeniedException", status=403, fields={"Message": message})


def _refusal(refused: AwsError) -> HttpResponse:
    """An error as URLs give it: the platform's own are hidden behind 502."""
    if refused.status >= 500 or refused.status in {404, 409}:
        return HttpResponse(502, {"Content-Type": _JSON}, b"Internal Server Error")
    fields = refused.fields if "Message" in refused.fields else {**refused.fields, "message": refused.message}
    headers = {"Content-Type": _JSON, "x-amzn-ErrorType": refused.code}
    return HttpResponse(refused.status, headers, msgspec.json.encode(fields))
