"""The end of a request: the gateway's own headers, compression, logs, counts."""

from __future__ import annotations

from typing import Any

import msgspec

from cumulet.kernel.web import Visit, WebAnswer
from cumulet.services.apigateway.plane.aside import LARGE, aside
from cumulet.services.apigateway.plane.execution_log import cut, pairs
from cumulet.services.apigateway.rest.pipeline import bodies, variables
from cumulet.services.apigateway.rest.pipeline.exchange import Exchange

_TRACED = frozenset({"AWS", "AWS_PROXY", "HTTP"})


def complete(ex: Exchange, answer: WebAnswer, milliseconds: float) -> WebAnswer:
    """Put the gateway's headers on an answer, log and count it."""
    program = ex.program
    if ex.log is not None:
        _tell(ex, answer)
    headers = [("x-amzn-RequestId", ex.request_id)]
    if ex.refused is None:
        if ex.warning:
            headers.append(("Warning", ex.warning))
        integration = ex.method.integration
        if integration is not None and integration.plan.kind in _TRACED:
            headers.append(("X-Amzn-Trace-Id", ex.answer_trace))
    headers.append(("x-amz-apigw-id", ex.extended_id))
    answer.headers = [*answer.headers, *headers]
    ex.front.counts.answered(ex, answer.status, milliseconds)
    if program.access_log is not None or ex.log is not None:
        _write_logs(ex, answer, milliseconds)
    return answer


def unknown_stage(visit: Visit) -> WebAnswer:
    """For a stage that is not there."""
    return _refusal(visit, "Missing Authentication Token", "MissingAuthenticationTokenException")


def closed(visit: Visit) -> WebAnswer:
    """For an address that the API does without (`disableExecuteApiEndpoint`)."""
    return _refusal(visit, "Forbidden", "ForbiddenException")


def _refusal(visit: Visit, message: str, kind: str) -> WebAnswer:
    return WebAnswer(
        status=403,
        headers=[
            ("Content-Type", "application/json"),
            ("x-amzn-RequestId", visit.request_id),
            ("x-amzn-ErrorType", kind),
        ],
        body=msgspec.json.encode({"message": message}),
    )


async def compress(ex: Exchange, answer: WebAnswer) -> None:
    """Compress an answer's body as the API and the client want it, a large one on a thread."""
    body, least = answer.body, ex.program.compression
    accepted = ex.request.headers.get("accept-encoding")
    if least is None or not accepted or not isinstance(body, bytes) or len(body) < least or not body:
        return
    if any(name.lower() == "content-encoding" for name, _ in answer.headers):
        return
    if len(body) > LARGE:
        made = await aside(lambda: bodies.compress(body, accepted))
    else:
        made = bodies.compress(body, accepted)
    if made is not None:
        answer.body = made[0]
        answer.headers = [*answer.headers, ("Content-Encoding", made[1])]


def _tell(ex: Exchange, answer: WebAnswer) -> None:
    log, refused = ex.log, ex.refused
    assert log is not None
    if refused is not None and refused.reason:
        log.fail(refused.reason)
    if refused is None:
        if isinstance(answer.body, bytes):
            log.show(f"Method response body after transformations: {cut(bodies.as_text(answer.body))}")
        log.show(f"Method response headers: {pairs(shown_headers(ex, answer))}")
        log.say("Successfully completed execution")
    elif refused.message and not refused.reason:
        log.fail(refused.message)
    log.say(f"Method completed with status: {answer.status}")


def shown_headers(ex: Exchange, answer: WebAnswer) -> list[tuple[str, str]]:
    """The headers as a method's log and TestInvokeMethod have them: the trace first."""
    lines = list(answer.headers)
    integration = ex.method.integration
    if integration is not None and integration.plan.kind in _TRACED:
        lines.insert(0, ("X-Amzn-Trace-Id", ex.answer_trace))
    return lines


def _write_logs(ex: Exchange, answer: WebAnswer, milliseconds: float) -> None:
    front, program = ex.front, ex.program
    if ex.log is not None and ex.log.wanted:
        group = f"API-Gateway-Execution-Logs_{program.api_id}/{program.stage_name}"
        front.logs.add(front.logs.place(program.account, program.region, group, makes_group=True), *ex.log.events())
    if program.access_log is not None:
        tree: dict[str, Any] = variables.tree(ex)
        tree["status"] = answer.status
        tree["responseLength"] = len(answer.body) if isinstance(answer.body, bytes) else None
        tree["responseLatency"] = int(milliseconds)
        line = program.access_log.format.render(tree)
        front.logs.add(front.logs.place(*program.access_log.place), line)
