"""Requests to functions' URLs: the part that needs the service, for whoever takes them in over HTTP."""

from collections.abc import AsyncIterator, Mapping

from msgspec import Struct

from cumulet.delivery import proxied as answers
from cumulet.delivery.proxied import BadAnswer, ProxyAnswer
from cumulet.kernel.call import Call
from cumulet.kernel.errors import AwsError
from cumulet.kernel.ids import token
from cumulet.services.lambda_.errors import no_function
from cumulet.services.lambda_.names import Reference
from cumulet.services.lambda_.runs import Run, ready_target
from cumulet.services.lambda_.state import CHANGED, Lambda
from cumulet.services.lambda_.streams import StreamedRun
from cumulet.services.lambda_.urls import cors
from cumulet.services.lambda_.urls.events import UrlRequest, make_event
from cumulet.services.lambda_.urls.store import Url

_KEPT = 10_000


class UrlInvocation(Struct, frozen=True, kw_only=True):
    """What permissions are looked at for: the members that conditions name."""

    function_name: str
    function_url_auth_type: str
    invoked_via_function_url: str = "true"


class UrlFront:
    """Answers requests to URLs."""

    def __init__(self, lambda_: Lambda) -> None:
        self._lambda = lambda_
        self._known: dict[tuple[str, str], Url] = {}
        lambda_.signals.subscribe(CHANGED, lambda _: self._known.clear())

    @property
    def body_limit(self) -> int:
        """Bytes of a request."""
        return self._lambda.limits.payload

    async def find(self, region: str, id: str) -> Url | None:
        """The URL with that id; None when there is none."""
        url = self._known.get((region, id))
        if url is None:
            url = await self._lambda.urls.by_id(region, id)
            if url is not None:
                if len(self._known) >= _KEPT:
                    self._known.clear()
                self._known[region, id] = url
        return url

    def preflight(self, url: Url, method: str, headers: Mapping[str, str]) -> dict[str, str] | None:
        """The headers for a browser that asks what it may do; None when that is for the function to answer."""
        if url.cors is None or not cors.is_preflight(url.cors, method, headers):
            return None
        return cors.preflight(url.cors, headers)

    def invocation(self, url: Url) -> UrlInvocation:
        """What the caller wants to do, for whoever looks at its permissions."""
        return UrlInvocation(function_name=url.function_arn, function_url_auth_type=url.auth_type)

    def shared(self, url: Url, headers: Mapping[str, str], answer: ProxyAnswer) -> None:
        """Put the URL's own CORS headers on an answer; they win over the function's."""
        if url.cors is None or "origin" not in headers:
            return
        for name in [name for name in answer.headers if name.lower() in cors.OWN]:
            del answer.headers[name]
        answer.headers |= cors.shared(url.cors, headers["origin"])

    async def answer(  # noqa: PLR0913  a request as it came, whose type whoever takes it in need not know
        self,
        url: Url,
        call: Call,
        *,
        method: str,
        path: str,
        query: str,
        headers: Mapping[str, str],
        body: bytes,
        scheme: str,
        port: str,
    ) -> ProxyAnswer:
        """Invoke the function with a request (see `UrlRequest`). Raises TooManyRequestsException, and AWS's errors for a function that
        cannot run.
        """
        lambda_ = self._lambda
        reference = Reference(url.key, url.qualifier or None)
        target = await ready_target(lambda_, reference)
        if target.tenancy or target.durable:
            raise no_function(reference.arn)
        now = lambda_.wall()
        trace = call.trace or f"Root=1-{int(now):08x}-{token(12)}"
        request = UrlRequest(
            method=method, path=path, query=query, headers=headers, body=body, scheme=scheme, port=port
        )
        event = make_event(call, url.id, request, now, trace)
        limit = lambda_.limits.payload
        if len(event) > limit + answers.MAX_METADATA:
            message = f"Request must be smaller than {limit} bytes for the InvokeFunction operation"
            raise AwsError(message, code="RequestEntityTooLargeException", status=413)
        run = Run(lambda_, reference, target, call.request_id)
        if url.invoke_mode == "RESPONSE_STREAM":
            answer = await self._streamed(run, event, trace)
        else:
            outcome = await run.go(event, trace=trace)
            answer = _whole(outcome.payload, outcome.content_type) if outcome.error is None else answers.failure()
        answer.headers["X-Amzn-Trace-Id"] = run.trace
        return answer

    async def _streamed(self, run: Run, event: bytes, trace: str) -> ProxyAnswer:
        streamed = StreamedRun(self._lambda, run)
        await streamed.begin(event, context=None, trace=trace)
        if not streamed.stream.begun:
            return answers.failure()  # it ended without a word, which only an error does
        kind = streamed.stream.content_type
        pieces = streamed.pieces()
        if kind != answers.WITH_METADATA:
            headers = {"Content-Type": kind or "application/json"}
            return ProxyAnswer(status=200, headers=headers, body=_rest(streamed, b"", pieces))
        head = b""
        async for piece in pieces:
            head += piece
            if answers.BETWEEN in head or len(head) > answers.MAX_METADATA:
                break
        metadata, found, first = head.partition(answers.BETWEEN)
        try:
            return answers.with_metadata(metadata if found else b"", _rest(streamed, first, pieces))
        except BadAnswer:
            await pieces.aclose()
            return answers.failure()


async def _rest(streamed: StreamedRun, first: bytes, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    if first:
        yield first
    async for piece in pieces:
        yield piece
    if streamed.outcome.error is not None:  # the answer is cut off, as in AWS
        raise AwsError("The function failed after it had begun to answer.", code="BrokenOff", status=502)


def _whole(payload: bytes, content_type: str) -> ProxyAnswer:
    try:
        return answers.whole(payload, content_type)
    except BadAnswer:
        return answers.failure()
