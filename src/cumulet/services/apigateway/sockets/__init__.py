"""Connections of WebSocket APIs, and the service that sends to them: `apigatewaymanagementapi`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from cumulet.api.apigatewaymanagementapi import OPERATIONS
from cumulet.kernel.service import Service, operations_in
from cumulet.services.apigateway.sockets import operations
from cumulet.services.apigateway.sockets.hub import Sockets
from cumulet.services.apigateway.sockets.operations import Management

__all__ = ["Sockets", "build", "of"]


def build(*, connections: Callable[[], Awaitable[Sockets]]) -> Service:
    """The service. `connections` gives those that are open, which the service of WebSocket APIs holds."""
    return Service("apigatewaymanagementapi", Management(connections), operations_in(OPERATIONS, operations))


def of(http: Service) -> Sockets:
    """The connections that the service `apigatewayv2` holds."""
    sockets = getattr(http.state, "sockets", None)
    assert isinstance(sockets, Sockets)
    return sockets
