"""Invocations whose response is read while the function writes it.

https://docs.aws.amazon.com/lambda/latest/dg/configuration-response-streaming.html
"""

from __future__ import annotations

import base64
from collections.abc import AsyncGenerator, AsyncIterator

from cumulet.api import lambda_ as api
from cumulet.compute import Outcome, ResponseStream, StreamLimits
from cumulet.kernel.call import Call
from cumulet.services.lambda_.errors import invalid, too_large
from cumulet.services.lambda_.invocations import check_tenant, client_context
from cumulet.services.lambda_.names import refer
from cumulet.services.lambda_.payloads import checked
from cumulet.services.lambda_.runs import Run, function_error, ready_target
from cumulet.services.lambda_.state import Lambda


class StreamedRun:
    """A run on its way. `outcome` is there once its pieces have been read to the end."""

    outcome: Outcome

    def __init__(self, lambda_: Lambda, run: Run) -> None:
        limits = lambda_.limits
        self.run = run
        self.stream = ResponseStream(
            StreamLimits(total=limits.stream_total, burst=limits.stream_burst, rate=limits.stream_rate)
        )
        self._tasks = lambda_.tasks
        self._error: Exception | None = None

    async def begin(self, payload: bytes, *, context: bytes | None, trace: str) -> None:
        """Returns once the function has begun to answer, or is at its end. Raises as `Run.go` does.

        The run goes on to its end whether or not somebody still waits for it.
        """
        self._tasks.start(f"stream {self.run.request_id}", self._go(payload, context, trace))
        try:
            await self.stream.started()
        except BaseException:
            self.stream.abandon()
            raise
        if self._error is not None and not self.stream.begun:
            raise self._error

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """The response as it comes; what is not read is dropped."""
        try:
            async for piece in self.stream:
                yield piece
        finally:
            self.stream.abandon()
        if self._error is not None:
            raise self._error

    async def _go(self, payload: bytes, context: bytes | None, trace: str) -> None:
        try:
            self.outcome = await self.run.go(payload, client_context=context, trace=trace, stream=self.stream)
        except Exception as error:  # noqa: BLE001  whoever reads the stream raises it
            self._error = error
        except BaseException:
            self._error = api.ServiceException("The node is stopping.")
            raise
        finally:
            self.stream.end()


async def invoke_with_response_stream(
    lambda_: Lambda, call: Call, request: api.InvokeWithResponseStreamRequest
) -> api.InvokeWithResponseStreamResponse:
    reference = refer(call, request.function_name, request.qualifier)
    if request.payload is not None and len(request.payload) > lambda_.limits.payload:
        raise too_large(len(request.payload), lambda_.limits.payload, "RequestResponse")
    target = await ready_target(lambda_, reference)
    check_tenant(target, request.tenant_id)
    if target.durable:
        raise invalid("InvokeWithResponseStream is not supported for durable functions.")
    if request.invocation_type == "DryRun":
        return api.InvokeWithResponseStreamResponse(status_code=204)
    context = client_context(request.client_context) if request.client_context else None
    streamed = StreamedRun(lambda_, Run(lambda_, reference, target, call.request_id, tenant=request.tenant_id or ""))
    await streamed.begin(checked(request.payload), context=context, trace=call.trace)
    return api.InvokeWithResponseStreamResponse(
        status_code=200,
        executed_version=streamed.run.target.number,
        trace_id=streamed.run.trace,
        event_stream=_events(streamed, tail=request.log_type == "Tail"),
    )


async def _events(streamed: StreamedRun, *, tail: bool) -> AsyncIterator[api.InvokeWithResponseStreamResponseEvent]:
    async for piece in streamed.pieces():
        yield api.InvokeWithResponseStreamResponseEvent(payload_chunk=api.InvokeResponseStreamUpdate(payload=piece))
    outcome, run = streamed.outcome, streamed.run
    complete = api.InvokeWithResponseStreamCompleteEvent()
    if outcome.error is not None:
        complete.error_code = streamed.stream.error_type or function_error(outcome)
        complete.error_details = outcome.payload.decode("utf-8", "replace")
    if tail:
        await run.ended()
        complete.log_result = base64.b64encode(run.tail()).decode()
    yield api.InvokeWithResponseStreamResponseEvent(invoke_complete=complete)
