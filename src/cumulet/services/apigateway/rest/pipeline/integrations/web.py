"""HTTP and HTTP_PROXY: a server elsewhere. With a VPC link it is reached where the link's tag says, or by the same address.

https://docs.aws.amazon.com/apigateway/latest/developerguide/setup-http-integrations.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from cumulet.kernel.web import WebAnswer
from cumulet.services.apigateway.plane import links, outgoing
from cumulet.services.apigateway.plane.execution_log import tell_received, tell_sent
from cumulet.services.apigateway.plane.pacing import paced
from cumulet.services.apigateway.rest.pipeline import events
from cumulet.services.apigateway.rest.pipeline.exchange import Exchange, Refused
from cumulet.services.apigateway.rest.pipeline.headers import NEVER_SENT, UNMAPPABLE, remapped
from cumulet.services.apigateway.rest.pipeline.integrations import requests, responses
from cumulet.services.apigateway.rest.pipeline.integrations.invoking import broken, pace, timed_out
from cumulet.services.apigateway.rest.pipeline.integrations.plan import Plan, Sent
from cumulet.services.apigateway.rest.pipeline.mapping import fill
from cumulet.services.apigateway.rest.pipeline.rendering import Overrides

_SLASHES = re.compile("//+")

_BAD_ADDRESS = "Execution failed due to configuration error: Invalid endpoint address"


class WebIntegration:
    """The request is made by templates and mappings, and so is the answer."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    async def run(self, ex: Exchange) -> WebAnswer:
        plan = self.plan
        overrides = Overrides()
        sent = await requests.transformed(ex, plan, overrides)
        own = {
            "Accept": ["application/json"],
            "User-Agent": [f"AmazonAPIGateway_{ex.program.api_id}"],
            "x-amzn-apigateway-api-id": [ex.program.api_id],
            "X-Amzn-Trace-Id": [ex.trace],
        }
        if sent.body:
            own["Content-Type"] = ["application/json"]
        answer = await _send(ex, plan, sent, over(own, sent.headers), stream=False)
        ex.integration["status"] = ex.integration["integrationStatus"] = answer.status
        answer.headers.append(("X-Amzn-Trace-Id", ex.answer_trace))
        chosen = responses.select(plan, str(answer.status), str(answer.status))
        return await responses.transformed(ex, plan, chosen, answer, overrides)


class WebProxyIntegration:
    """The request and the answer pass, but for the headers of their connections."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    async def run(self, ex: Exchange) -> WebAnswer:
        plan = self.plan
        sent = Sent({}, {name: list(values) for name, values in ex.query.items()}, {}, ex.request.content)
        mapped = Sent({}, {}, {}, b"")
        requests.apply_mappings(ex, plan, mapped, UNMAPPABLE)
        for name, values in mapped.query.items():
            # A parameter that the client sent too has both values, its own last.
            sent.query[name] = [*values, *[one for one in sent.query.get(name, []) if one not in values]]
        sent.path = mapped.path
        headers = events.forwarded(ex)
        headers["x-amzn-apigateway-api-id"] = [ex.program.api_id]
        for name in [name for name in headers if name.lower() in {"host", "via"}]:
            del headers[name]
        answer = await _send(ex, plan, sent, over(headers, mapped.headers), stream=plan.streams)
        ex.integration["status"] = ex.integration["integrationStatus"] = answer.status
        if not any(name.lower() == "content-type" for name, _ in answer.headers) and answer.body:
            answer.headers.append(("Content-Type", "application/json"))
        if not isinstance(answer.body, bytes):
            answer.body = paced(answer.body, pace(ex))
        answer.headers = remapped(answer.headers)
        return answer


def over(headers: Mapping[str, list[str]], mapped: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Headers with others put in their place, whatever the casing."""
    names = {name.lower() for name in mapped}
    found = {name: values for name, values in headers.items() if name.lower() not in names}
    return found | {name: values for name, values in mapped.items() if name.lower() not in NEVER_SENT}


async def _send(ex: Exchange, plan: Plan, sent: Sent, headers: Mapping[str, list[str]], *, stream: bool) -> WebAnswer:
    """Raises Refused."""
    front = ex.front
    method = ex.request.method if plan.method in {"", "ANY"} else plan.method
    url, host, name = _url(ex, plan, sent), "", ""
    if not outgoing.is_url(url):
        raise broken(_BAD_ADDRESS)
    if plan.link and (target := await _target(ex, plan)):
        host, name = links.server(url)
        url = links.through(target, url)
    lines = [(name, value) for name, values in headers.items() for value in values]
    body = sent.body
    if ex.log is not None:
        tell_sent(ex.log, url, lines, body)
    began = front.clock.now()
    request = outgoing.Outgoing(
        method=method,
        url=url,
        lines=lines,
        content=body,
        seconds=plan.timeout,
        stream=stream,
        verify=plan.verify,
        certificate=ex.program.certificate,
        host=host,
        server_name=name,
    )
    try:
        answer = await outgoing.send(front.client, request, every_header=True)
    except outgoing.TimedOut as error:
        raise timed_out() from error
    except outgoing.BadUrl as error:
        raise broken(_BAD_ADDRESS) from error
    except outgoing.Unreachable as error:
        reason = f"Execution failed due to configuration error: {error}"
        raise Refused("INTEGRATION_FAILURE", "Internal server error", status=500, reason=reason) from error
    finally:
        ex.integration["latency"] = int((front.clock.now() - began) * 1000)
    if ex.log is not None:
        known = answer.body if isinstance(answer.body, bytes) else None
        tell_received(ex.log, answer.status, ex.integration["latency"], answer.headers, known)
    return answer


async def _target(ex: Exchange, plan: Plan) -> str:
    """Where the integration's VPC link leads; empty where it does not say. Raises Refused."""
    program = ex.program
    id = fill(plan.link, ex.stage_variables, {})
    try:
        return await ex.front.links.target(program.account, program.region, id)
    except links.NoLink as error:
        reason = f"Execution failed due to configuration error: {error}"
        raise Refused("INTEGRATION_FAILURE", "Internal server error", status=500, reason=reason) from error


def _url(ex: Exchange, plan: Plan, sent: Sent) -> str:
    uri = fill(plan.uri, ex.stage_variables, requests.encoded_path(ex, sent))
    if sent.query:
        uri += ("&" if "?" in uri else "?") + requests.query_string(sent.query)
    # Stage variables with a slash at their end: AWS's client makes one of two.
    scheme, mark, rest = uri.replace(" ", "%20").partition("://")
    path, question, query = rest.partition("?")
    return f"{scheme}{mark}{_SLASHES.sub('/', path)}{question}{query}" if mark else scheme
