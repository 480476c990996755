"""MOCK: the request template alone says which integration response is meant.

https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-mock-integration.html
"""

from __future__ import annotations

import re

from cumulet.kernel.web import WebAnswer
from cumulet.services.apigateway.rest.pipeline.exchange import Exchange, Refused
from cumulet.services.apigateway.rest.pipeline.integrations import requests, responses
from cumulet.services.apigateway.rest.pipeline.integrations.plan import Plan
from cumulet.services.apigateway.rest.pipeline.rendering import Overrides

_STATUS = re.compile(r"""(?:^|[{,\s])["']?statusCode["']?\s*:\s*["']?(\d{3})["']?\s*(?:[,}]|$)""")


class MockIntegration:
    """Answers without asking anybody."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    async def run(self, ex: Exchange) -> WebAnswer:
        plan = self.plan
        overrides = Overrides()
        sent = await requests.transformed(ex, plan, overrides)
        status = status_in(sent.body.decode("utf-8", "replace"))
        if status is None:
            reason = "Execution failed due to configuration error: Unable to parse statusCode. It should be an integer and defined in request template"
            raise Refused("API_CONFIGURATION_ERROR", "Internal server error", reason=reason)
        response = responses.select(plan, status, status)
        return await responses.transformed(ex, plan, response, WebAnswer(status=int(status), body=b""), overrides)


def status_in(text: str) -> str | None:
    """The status code in what is nearly a JSON object: names without quotes are taken, as AWS does."""
    text = text.strip()
    if not text.startswith("{") or not text.endswith("}"):
        return None
    found = _STATUS.search(text)
    return found[1] if found is not None else None
