"""Runs functions in sandboxes. Knows Linux and runtimes, not AWS's services: `Compute` is the way in."""

from cumulet.compute.compute import Compute
from cumulet.compute.config import HTTPS, ComputeConfig
from cumulet.compute.images import image_unpacker
from cumulet.compute.level import Level
from cumulet.compute.model import (
    ComputeUnavailable,
    EnvironmentInfo,
    EnvironmentStatus,
    FunctionSpec,
    Image,
    Invocation,
    NoRoom,
    OnEndpoint,
    OnEnvironment,
    OnEvent,
    OnLog,
    OnPlatform,
    Outcome,
    RestoreFailed,
    RuntimeUnavailable,
)
from cumulet.compute.response_stream import ResponseStream, StreamLimits
from cumulet.compute.runtimes.node import sdk_places as node_sdk_places

__all__ = [
    "HTTPS",
    "Compute",
    "ComputeConfig",
    "ComputeUnavailable",
    "EnvironmentInfo",
    "EnvironmentStatus",
    "FunctionSpec",
    "Image",
    "Invocation",
    "Level",
    "NoRoom",
    "OnEndpoint",
    "OnEnvironment",
    "OnEvent",
    "OnLog",
    "OnPlatform",
    "Outcome",
    "ResponseStream",
    "RestoreFailed",
    "RuntimeUnavailable",
    "StreamLimits",
    "image_unpacker",
    "node_sdk_places",
]
