"""WebSocket APIs: connections, and what a backend does with them."""

from __future__ import annotations

from cumulet.api.apigatewaymanagementapi import OPERATIONS
from cumulet.kernel.calls import Calls
from cumulet.kernel.clock import Clock
from cumulet.kernel.service import Service, operations_in
from cumulet.storage.database import Database


def build(*, db: Database, clock: Clock, calls: Calls) -> Service:
    """The service `apigatewaymanagementapi`, on API Gateway's database."""
    return Service("apigatewaymanagementapi", None, operations_in(OPERATIONS))
