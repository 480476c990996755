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
from cumulet.services.apigateway.rest.pipeline.log import tell_answer, tell_request
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
        sent = await requests.transformed(ex, plan, overrides, UNMAPPABLE_FOR_SERVICES)
        queued = any(name.lower() == _EVENT and values[-1] == "Event" for name, values in sent.headers.items())
        if ex.log is not None:
            tell_request(ex, function.function, sent.body)
        invoked = await invoke(ex, plan, function, sent.body or b"{}", event=queued)
        status = "202" if queued else "200"
        ex.integration["status"] = ex.integration["integrationStatus"] = int(status)
        # X-Amzn-Trace-Id is the integration's; the client gets it with those of the gateway.
        answer = WebAnswer(
            status=int(status),
            headers=[("Content-Type", "application/json"), ("X-Amzn-Trace-Id", ex.answer_trace)],
            body=invoked.payload,
        )
        if ex.log is not None:
            tell_answer(ex, status, invoked.payload)
        error = _error_message(invoked.payload) if invoked.error is not None else ""
        return await responses.transformed(ex, plan, responses.select(plan, error, status), answer, overrides)


def _error_message(payload: bytes) -> str:
    """What selection patterns are matched with: the error's message."""
    try:
        value = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return payload.decode("utf-8", "replace")
    message = value.get("errorMessage") if isinstance(value, dict) else None
    return message if isinstance(message, str) else payload.decode("utf-8", "replace")
