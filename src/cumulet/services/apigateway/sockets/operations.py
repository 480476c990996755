"""Operations on connections, for backends: send to a client, ask about it, end it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from msgspec import Struct

from cumulet.api import apigatewaymanagementapi as api
from cumulet.kernel.call import Call
from cumulet.policy.addresses import stage_of
from cumulet.services.apigateway.sockets.hub import Connection, Sockets

_LARGEST = 128 * 1024
_NORMAL = 1000


class Management(Struct, frozen=True):
    """What the operations need: the connections that are open."""

    sockets: Callable[[], Awaitable[Sockets]]


async def post_to_connection(management: Management, call: Call, request: api.PostToConnectionRequest) -> None:
    if len(request.data) > _LARGEST:
        raise api.PayloadTooLargeException("Message too long")
    sockets = await management.sockets()
    connection = _connection(sockets, call, request.connection_id)
    assert connection.wire is not None
    try:
        taken = await connection.wire.send(request.data)
    except ConnectionError:
        raise api.GoneException from None
    if not taken:
        raise api.LimitExceededException("The client does not take its messages: its buffer is full")
    connection.active = sockets.now()


async def get_connection(
    management: Management, call: Call, request: api.GetConnectionRequest
) -> api.GetConnectionResponse:
    connection = _connection(await management.sockets(), call, request.connection_id)
    return api.GetConnectionResponse(
        connected_at=connection.connected,
        last_active_at=connection.active,
        identity=api.Identity(source_ip=connection.source_ip, user_agent=connection.user_agent),
    )


async def delete_connection(management: Management, call: Call, request: api.DeleteConnectionRequest) -> None:
    connection = _connection(await management.sockets(), call, request.connection_id)
    assert connection.wire is not None
    connection.wire.close(_NORMAL, "Connection Closed Normally")


def _connection(sockets: Sockets, call: Call, id: str) -> Connection:
    """The connection, when it is open, of the caller's account and region, and of the stage that was called.

    Raises GoneException and ForbiddenException.
    """
    if call.principal.kind == "anonymous":
        raise api.ForbiddenException("Missing Authentication Token")
    connection = sockets.find(id)
    if connection is None:
        raise api.GoneException
    if (connection.account, connection.region) != (call.account, call.region):
        raise api.ForbiddenException("Forbidden")
    place = stage_of(call.endpoint)
    if place is not None and place != (connection.api_id, connection.stage):
        raise api.GoneException
    return connection
