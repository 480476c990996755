"""What execution logs of WebSocket APIs tell: in the group `/aws/apigateway/{api}/{stage}`, in AWS's words.

https://docs.aws.amazon.com/apigateway/latest/developerguide/websocket-api-logging.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cumulet.services.apigateway.plane.execution_log import (
    Asked,
    ExecutionLog,
    cut,
    function_url,
    masked,
    tell_function,
    tell_returned,
)
from cumulet.services.apigateway.sockets.events import Moment
from cumulet.services.apigateway.sockets.program import Logging

_CARRIERS = frozenset({"headers", "multiValueHeaders", "queryStringParameters", "multiValueQueryStringParameters"})


def begin(moment: Moment, logging: Logging) -> None:
    """Something happens on a route that has a log."""
    moment.log = ExecutionLog(
        moment.id, moment.now, level=logging.level, traced=logging.traced, secrets=logging.secrets
    )
    moment.log.say(f"Extended Request Id: {moment.id}")


def tell_key(log: ExecutionLog, moment: Moment) -> None:
    """The client's API key is about to be looked at."""
    key, place = _key(moment)
    log.say(f"Verifying Usage Plan for request: {moment.id}. API Key: {key} API Stage: {place}")


def tell_key_fits(log: ExecutionLog, moment: Moment, *, required: bool) -> None:
    """The key opens the route, or none is needed."""
    key, place = _key(moment)
    if not required:
        log.say(
            f"API Key {key} authorized because route '{moment.key}' does not require API Key."
            " Request will not contribute to throttle or quota limits"
        )
    log.say(f"Usage Plan check succeeded for API Key {key} and API Stage {place}")


def _key(moment: Moment) -> tuple[str, str]:
    connection = moment.connection
    return masked(connection.api_key), f"{connection.api_id}/{connection.stage}"


def tell_start(log: ExecutionLog, moment: Moment) -> None:
    """The client is let in, and its route is run."""
    connection = moment.connection
    log.say(f"Starting execution for request: {moment.id}")
    log.say(f"WebSocket Request Route: [{moment.key}]")
    if moment.kind == "CONNECT":
        client = f"UserAgent: {connection.user_agent or 'null'}, SourceIp: {connection.source_ip}"
        log.say(f"Client [{client}] is connecting to WebSocket API [{connection.api_id}].")
    elif moment.kind == "MESSAGE":
        text = f"WebSocket API [{connection.api_id}] received message from client [{connection.id}]."
        log.say(f"{text} Message: [{cut(moment.body or '')}]" if log.traced else text)


def tell_invocation(log: ExecutionLog, moment: Moment, function: str, body: bytes) -> None:
    """A function is about to be run."""
    asked = _asked(moment)
    tell_function(log, asked, function, body)
    log.say(f"Sending request to {function_url(asked.region, function)}")


def tell_invoked(log: ExecutionLog, moment: Moment, milliseconds: int, body: bytes) -> None:
    """A function has returned. Its own log names the same request."""
    tell_returned(log, _asked(moment), "200", milliseconds, body)
    log.say(f"AWS Integration Endpoint RequestId : {moment.id}")


def _asked(moment: Moment) -> Asked:
    return Asked(moment.connection.region, moment.connection.api_id, moment.id, moment.now)


def tell_end(log: ExecutionLog, moment: Moment, status: int) -> None:
    """What came of it. `status` is what the integration said, or the gateway."""
    connection = moment.connection
    client = f"Client [Connection Id: {connection.id}]"
    if moment.invalid:
        log.show(f"Request body does not match model schema: [{cut(moment.invalid)}]")
    if moment.error:
        known = status < 500 or moment.error.startswith(("Execution failed", "Lambda "))
        log.fail(moment.error if known else f"Execution failed due to configuration error: {moment.error}")
    if moment.kind == "DISCONNECT":
        reason = f"{moment.code}: {moment.reason}"
        log.say(f"{client} disconnected from API [{connection.api_id}]. Close reason: [{reason}]")
    elif moment.kind == "CONNECT" and 200 <= status < 300:
        log.say(f"{client} connected to API [{connection.api_id}] successfully.")
    else:
        log.say(f"Method completed with status: {status}")


def without_secrets(log: ExecutionLog, event: Mapping[str, Any]) -> dict[str, Any]:
    """The event of a handshake as a log has it: keys and tokens cut to their last letters."""

    def hidden(values: dict[str, Any]) -> dict[str, Any]:
        return {name: _masked(value) if name.lower() in log.secrets else value for name, value in values.items()}

    return {place: hidden(values) if place in _CARRIERS else values for place, values in event.items()}


def _masked(value: str | list[str]) -> str | list[str]:
    return masked(value) if isinstance(value, str) else [masked(one) for one in value]
