"""Runs functions in sandboxes. Knows Linux and runtimes, not AWS's services: `Compute` is the way in."""

from cumulet.compute.compute import Compute
from cumulet.compute.config import HTTPS, ComputeConfig
from cumulet.compute.images import image_unpacker
from cumulet.compute.level import Level
from cumulet.compute.machines import BootedMachine
from cumulet.compute.model import (
    ComputeUnavailable,
    EnvironmentInfo,
    EnvironmentStatus,
    FunctionSpec,
    Image,
    Invocation,
    Machine,
    NoRoom,
    NotMounted,
    OnEndpoint,
    OnEnvironment,
    OnEvent,
    OnLog,
    OnPlatform,
    Outcome,
    RestoreFailed,
    RuntimeUnavailable,
    Server,
    SharedFolder,
)
from cumulet.compute.response_stream import ResponseStream, StreamLimits
from cumulet.compute.runtimes.node import sdk_places as node_sdk_places
from cumulet.compute.servers import NotServing, Place
from cumulet.compute.switching import Switching, Tunnel
from cumulet.compute.upstream import Broken, Upstream, request_head

__all__ = [
    "HTTPS",
    "BootedMachine",
    "Broken",
    "Compute",
    "ComputeConfig",
    "ComputeUnavailable",
    "EnvironmentInfo",
    "EnvironmentStatus",
    "FunctionSpec",
    "Image",
    "Invocation",
    "Level",
    "Machine",
    "NoRoom",
    "NotMounted",
    "NotServing",
    "OnEndpoint",
    "OnEnvironment",
    "OnEvent",
    "OnLog",
    "OnPlatform",
    "Outcome",
    "Place",
    "ResponseStream",
    "RestoreFailed",
    "RuntimeUnavailable",
    "Server",
    "SharedFolder",
    "StreamLimits",
    "Switching",
    "Tunnel",
    "Upstream",
    "image_unpacker",
    "node_sdk_places",
    "request_head",
]
