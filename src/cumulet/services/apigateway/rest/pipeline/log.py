"""What execution logs of REST APIs tell of functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cumulet.services.apigateway.plane.execution_log import Asked, tell_function, tell_returned

if TYPE_CHECKING:
    from cumulet.services.apigateway.rest.pipeline.exchange import Exchange


def tell_request(ex: Exchange, function: str, body: bytes) -> None:
    """Log what a function is sent."""
    assert ex.log is not None
    tell_function(ex.log, _asked(ex), function, body)


def tell_answer(ex: Exchange, status: str, body: bytes) -> None:
    """Log what a function returned."""
    assert ex.log is not None
    tell_returned(ex.log, _asked(ex), status, ex.integration["latency"], body, ex.answer_trace)


def _asked(ex: Exchange) -> Asked:
    return Asked(ex.program.region, ex.program.api_id, ex.request_id, ex.now)
