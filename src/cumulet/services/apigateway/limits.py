"""API Gateway's quotas, as one profile of the configuration.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html
"""

from msgspec import Struct

_MB = 1024 * 1024


class Limits(Struct, frozen=True, kw_only=True):
    """AWS's defaults, per account and region or per API; sizes in bytes."""

    regional_apis: int = 600
    private_apis: int = 600
    edge_apis: int = 120
    resources: int = 300
    """Of one API."""
    stages: int = 10
    authorizers: int = 10
    documentation_parts: int = 2000
    models: int = 400_000
    api_keys: int = 10_000
    usage_plans: int = 300
    plans_per_key: int = 10
    client_certificates: int = 60
    vpc_links: int = 20
    domain_names: int = 120
    private_domain_names: int = 50
    mappings: int = 200
    """Of API mappings of one domain."""
    routing_rules: int = 50
    resource_policy: int = 8192
    schema: int = 400_000
    template: int = 300_000
    definition: int = 6 * _MB
    tags: int = 50
    timeout_ms: int = 29_000
    """The longest an integration may take; AWS raises it on request."""
    payload: int = 10 * _MB
    stream_burst: int = 10 * _MB
    stream_rate: int = 2 * _MB
    """Bytes of a streamed answer that pass at once, and in each second from then on."""
    stream_life: float = 900.0
    stream_idle: float = 300.0
    stream_idle_edge: float = 30.0
    """Seconds of real time that a streamed answer may take, and may be silent for; the last of edge-optimized APIs."""
    account_rate: float = 10_000.0
    """Requests a second of an account in a region."""
    account_burst: int = 5000
    page: int = 500
    """Things in one answer, at most."""
    socket_message: int = 128 * 1024
    """Bytes of a WebSocket message, in either direction."""
    socket_frame: int = 32 * 1024
    socket_idle: float = 600.0
    """Seconds of real time without a frame from or to a client, after which its connection ends."""
    socket_life: float = 7200.0
    """Seconds of real time that a connection lasts at most."""
    sockets_rate: float = 500.0
    """New connections a second of an account in a region; as many may come at once."""
    sockets: int = 20_000
    """Open connections of the node, which AWS has no number for."""
