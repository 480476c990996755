"""AWS with a function: the request template makes its event, and its error's message selects the response.

https://docs.aws.amazon.com/apigateway/latest/developerguide/getting-started-lambda-non-proxy-integration.html
"""

from __future__ import annotations

import msgspec

from cumulet.kernel.web import WebAnswer
from cumulet.services.apigateway.rest.pipeline.exchange import Exchange
from cumulet.services.apigateway.rest.pipeline.headers import UNMAPPABLE_FOR_SERVICES
from cumulet.services.apigateway.rest.pipeline.integrations import requests, responses
from cumulet.services.apigateway.rest.pipeline.integrations.invoking import invoke, target
from cumulet.services.apigateway.rest.pipeline.integrations.plan import Plan
from cumulet.services.apigateway.rest.pipeline.log import cut, pairs
from cumulet.services.apigateway.rest.pipeline.rendering import Overrides

_EVENT = "x-amz-invocation-type"


class FunctionIntegration:
    """A function that knows nothing of HTTP."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    async def run(self, ex: Exchange) -> WebAnswer:
        plan = self.plan
        overrides = Overrides()
        function = target(ex, plan)
        sent = requests.transformed(ex, plan, overrides, UNMAPPABLE_FOR_SERVICES)
        queued = any(name.lower() == _EVENT and values[-1] == "Event" for name, values in sent.headers.items())
        if ex.log is not None:
            _tell_request(ex, function.function, sent.body)
        invoked = await invoke(ex, plan, function, sent.body or b"{}", event=queued)
        status = "202" if queued else "200"
        ex.integration["status"] = ex.integration["integrationStatus"] = int(status)
        # X-Amzn-Trace-Id is the integration's; the client gets it with those of the gateway.
        answer = WebAnswer(
            status=int(status),
            headers=[("Content-Type", "application/json"), ("X-Amzn-Trace-Id", ex.trace)],
            body=invoked.payload,
        )
        if ex.log is not None:
            _tell_answer(ex, status, answer)
        error = _error_message(invoked.payload) if invoked.error is not None else ""
        return responses.transformed(ex, plan, responses.select(plan, error, status), answer, overrides)


def _tell_request(ex: Exchange, function: str, body: bytes) -> None:
    assert ex.log is not None
    program = ex.program
    host = f"https://lambda.{program.region}.amazonaws.com"
    ex.log.show(f"Endpoint request URI: {host}/2015-03-31/functions/{function}/invocations")
    headers = {
        "x-amzn-lambda-integration-tag": ex.request_id,
        "Authorization": "*" * 64,
        "X-Amz-Date": ex.stamp,
        "x-amzn-apigateway-api-id": program.api_id,
        "Accept": "application/json",
        "User-Agent": f"AmazonAPIGateway_{program.api_id}",
        "X-Amz-Security-Token": "*" * 64,
    }
    ex.log.show(f"Endpoint request headers: {pairs(headers)[:-1]} [TRUNCATED]")
    ex.log.show(f"Endpoint request body after transformations: {cut(body.decode('utf-8', 'replace'))}")


def _tell_answer(ex: Exchange, status: str, answer: WebAnswer) -> None:
    assert ex.log is not None
    assert isinstance(answer.body, bytes)
    ex.log.say(f"Received response. Status: {status}, Integration latency: {ex.integration['latency']} ms")
    headers = {
        "Date": ex.http_date,
        "Content-Type": "application/json",
        "Content-Length": len(answer.body),
        "Connection": "keep-alive",
        "x-amzn-RequestId": ex.request_id,
        "x-amzn-Remapped-Content-Length": 0,
        "X-Amz-Executed-Version": "$LATEST",
        "X-Amzn-Trace-Id": ex.trace,
    }
    ex.log.show(f"Endpoint response headers: {pairs(headers)}")
    ex.log.show(f"Endpoint response body before transformations: {cut(answer.body.decode('utf-8', 'replace'))}")


def _error_message(payload: bytes) -> str:
    """What selection patterns are matched with: the error's message."""
    try:
        value = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return payload.decode("utf-8", "replace")
    message = value.get("errorMessage") if isinstance(value, dict) else None
    return message if isinstance(message, str) else payload.decode("utf-8", "replace")
