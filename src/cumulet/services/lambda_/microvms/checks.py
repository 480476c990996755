"""What requests must keep to, beyond the model's constraints."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from cumulet.api import lambda_microvms as api
from cumulet.kernel.call import Call
from cumulet.services.lambda_.microvms.errors import invalid
from cumulet.services.lambda_.microvms.hooks import Hooks
from cumulet.services.lambda_.microvms.limits import Limits
from cumulet.services.lambda_.microvms.model import MOST_SECONDS, SIZES, USUAL_MB, Spec
from cumulet.services.lambda_.microvms.names import (
    DEFAULT_BASE,
    INTERNET,
    check_base,
    check_connectors,
    managed_connector,
)

_RESERVED = ("AWS_REGION", "AWS_DEFAULT_REGION")
_IDLE = (60, 28_800)


def spec_of(call: Call, request: api.CreateMicrovmImageRequest | api.UpdateMicrovmImageRequest) -> Spec:
    """What a version is to be made of. Raises ValidationException."""
    check_base(call, request.base_image_arn, request.base_image_version)
    if request.code_artifact.uri is None:
        raise invalid("codeArtifact must have a uri.")
    if not request.code_artifact.uri.startswith("s3://"):
        raise invalid(f"The code artifact must be an S3 URI: {request.code_artifact.uri}")
    egress = request.egress_network_connectors
    check_connectors(call, egress or [], ingress=False)
    check_logging(request.logging)
    hooks = Hooks(request.hooks)
    if hooks.any and not hooks.enabled("ready"):
        raise invalid("The ready hook must be enabled where hooks of MicroVMs are.")
    for name in request.environment_variables or {}:
        if name in _RESERVED:
            raise invalid(f"The environment variable {name} is reserved.")
        if "=" in name or "\0" in name:
            raise invalid(f"Invalid environment variable name: {name}")
    return Spec(
        base_arn=request.base_image_arn,
        base_version=request.base_image_version or DEFAULT_BASE,
        build_role=request.build_role_arn,
        artifact=request.code_artifact,
        egress=egress or [managed_connector(call, INTERNET)],
        memory_mb=_memory(request.resources),
        description=request.description,
        logging=request.logging,
        cpus=request.cpu_configurations,
        capabilities=request.additional_os_capabilities,
        hooks=request.hooks,
        environment=request.environment_variables,
    )


def _memory(resources: Sequence[api.Resources] | None) -> int:
    if not resources:
        return USUAL_MB
    memory = resources[0].minimum_memory_in_mi_b
    if memory not in SIZES:
        raise invalid(f"minimumMemoryInMiB must be one of {', '.join(map(str, SIZES))}.")
    return memory


def check_logging(logging: api.Logging | None) -> None:
    """Exactly one kind. Raises ValidationException."""
    if logging is not None and (logging.disabled is None) == (logging.cloud_watch is None):
        raise invalid("logging must have exactly one of cloudWatch and disabled.")


def check_run(request: api.RunMicrovmRequest, limits: Limits) -> None:
    """Raises ValidationException."""
    check_logging(request.logging)
    if request.idle_policy is not None and not _IDLE[0] <= request.idle_policy.max_idle_duration_seconds <= _IDLE[1]:
        raise invalid(f"maxIdleDurationSeconds must be between {_IDLE[0]} and {_IDLE[1]}.")
    if len((request.run_hook_payload or "").encode()) > limits.payload:
        raise invalid(f"runHookPayload must not be larger than {limits.payload} bytes.")
    if (request.maximum_duration_in_seconds or 1) > MOST_SECONDS:
        raise invalid(f"maximumDurationInSeconds must not be more than {MOST_SECONDS}.")


def check_tags(tags: dict[str, str], limits: Limits) -> None:
    """Raises ValidationException."""
    if len(tags) > limits.tags:
        raise invalid(f"A resource cannot have more than {limits.tags} tags.")
    for name in tags:
        if name.lower().startswith("aws:"):
            raise invalid(f"Tag keys cannot begin with aws: ({name})")


def ports_of(allowed: Sequence[api.PortSpecification]) -> tuple[tuple[int, int], ...]:
    """Pairs of the first and the last. Raises ValidationException."""
    pairs = []
    for one in allowed:
        if [one.port, one.range, one.all_ports].count(None) != 2:
            raise invalid("A port specification must have exactly one of port, range and allPorts.")
        if one.port is not None:
            pairs.append((one.port, one.port))
        elif one.range is not None:
            if one.range.start_port > one.range.end_port:
                raise invalid("startPort must not be greater than endPort.")
            pairs.append((one.range.start_port, one.range.end_port))
        else:
            pairs.append((1, 65_535))
    return tuple(pairs)


def digest_of(request: Struct) -> str:
    """Of everything that a request says but its token: a token that comes again must come with the same."""
    members = {name: getattr(request, name) for name in request.__struct_fields__ if name != "client_token"}
    return hashlib.sha256(msgspec.json.encode(members, order="deterministic")).hexdigest()
