"""HTTP and WebSocket APIs (version 2): control plane, and the data plane of HTTP APIs."""

from __future__ import annotations

from cumulet.api.apigatewayv2 import OPERATIONS
from cumulet.kernel.calls import Calls
from cumulet.kernel.clock import Clock
from cumulet.kernel.service import Service, operations_in
from cumulet.storage.database import Database


def build(*, db: Database, clock: Clock, calls: Calls) -> Service:
    """The service `apigatewayv2`, on API Gateway's database."""
    return Service("apigatewayv2", None, operations_in(OPERATIONS))
