"""A function's configuration: AWS's defaults and the rules between members. The model's own constraints were checked before."""

from __future__ import annotations

import hashlib

import msgspec

from cumulet import delivery
from cumulet.api import lambda_ as api
from cumulet.kernel.errors import AwsError, NotImplementedHere
from cumulet.services.lambda_ import vpc
from cumulet.services.lambda_.capacity import model as capacity
from cumulet.services.lambda_.concurrency import snap_start
from cumulet.services.lambda_.durable.model import durable_config
from cumulet.services.lambda_.errors import invalid
from cumulet.services.lambda_.file_systems import rules as file_systems
from cumulet.services.lambda_.limits import Limits
from cumulet.services.lambda_.model import CREATING
from cumulet.services.lambda_.names import LATEST, FunctionKey
from cumulet.services.lambda_.runtimes import CUSTOM, check_runtime

_MISSING = {
    "accelerator_config": "AcceleratorConfig",
}

RESERVED_VARIABLES = frozenset(
    {
        "_HANDLER",
        "_X_AMZN_TRACE_ID",
        "AWS_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_DEFAULT_REGION",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_LAMBDA_MAX_CONCURRENCY",
        "AWS_LAMBDA_METADATA_API",
        "AWS_LAMBDA_METADATA_TOKEN",
        "AWS_LAMBDA_RUNTIME_API",
        "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SECRET_KEY",
        "AWS_SECURITY_TOKEN",
        "AWS_SESSION_TOKEN",
        "LAMBDA_RUNTIME_DIR",
        "LAMBDA_TASK_ROOT",
    }
)
"""https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html"""

Request = api.CreateFunctionRequest | api.UpdateFunctionConfigurationRequest


def new_configuration(
    key: FunctionKey, request: api.CreateFunctionRequest, limits: Limits
) -> api.FunctionConfiguration:
    """What CreateFunction makes of its request, but for code, revision and time. Raises AWS's errors."""
    image = request.package_type == "Image"
    if image:
        _check_image(request)
    elif request.code.image_uri:
        raise invalid("Please don't provide ImageUri when creating a function with packageType Zip.")
    elif not request.runtime or not request.handler:
        raise invalid("Runtime and Handler are mandatory parameters for functions created with deployment packages.")
    defaults = api.FunctionConfiguration(
        function_name=key.name,
        function_arn=key.arn,
        role=request.role,
        description="",
        timeout=3,
        memory_size=128,
        version=LATEST,
        package_type="Image" if image else "Zip",
        architectures=request.architectures or ["x86_64"],
        ephemeral_storage=api.EphemeralStorage(size=512),
        tracing_config=api.TracingConfigResponse(mode="PassThrough"),
        snap_start=api.SnapStartResponse(apply_on="None", optimization_status="Off"),
        tenancy_config=request.tenancy_config,
        logging_config=api.LoggingConfig(log_format="Text", log_group=f"/aws/lambda/{key.name}"),
        state="Pending",
        state_reason=CREATING,
        state_reason_code="Creating",
    )
    if request.publish_to and request.capacity_provider_config is None:
        raise invalid("PublishTo is only supported for functions with a capacity provider.")
    defaults = msgspec.structs.replace(defaults, **capacity.usual(request))
    return changed_configuration(defaults, request, key, limits)


def changed_configuration(
    old: api.FunctionConfiguration, request: Request, key: FunctionKey, limits: Limits
) -> api.FunctionConfiguration:
    """`old` with what the request names. Raises AWS's errors; `old` stays as it is."""
    _refuse_missing(request)
    changes: dict[str, object] = {
        member: value
        for member in ("role", "handler", "description", "timeout", "memory_size", "ephemeral_storage")
        if (value := getattr(request, member)) is not None
    }
    changes |= _image_members(old, request) | snap_start.members(request.snap_start)
    changes |= file_systems.members(request.file_system_configs)
    changes |= _runtime_members(old, request, key)
    if request.environment is not None:
        changes["environment"] = _environment(request.environment, limits)
    if request.tracing_config is not None and request.tracing_config.mode:
        changes["tracing_config"] = api.TracingConfigResponse(mode=request.tracing_config.mode)
    if request.dead_letter_config is not None:
        changes["dead_letter_config"] = _dead_letters(request.dead_letter_config)
    if request.vpc_config is not None:
        changes["vpc_config"] = vpc.answer(key, request.vpc_config)
    if request.kms_key_arn is not None:
        changes["kms_key_arn"] = request.kms_key_arn or None
    if request.durable_config is not None:
        changes["durable_config"] = durable_config(old, request.durable_config)
    if request.logging_config is not None:
        changes["logging_config"] = _logging(old.logging_config, request.logging_config, key)
    _check_bound("timeout", request.timeout, limits.timeout)
    _check_bound(
        "memorySize", request.memory_size, limits.managed_memory_mb if capacity.managed(old) else limits.memory_mb
    )
    if request.ephemeral_storage is not None:
        _check_bound("ephemeralStorage.size", request.ephemeral_storage.size, limits.ephemeral_mb)
    changes |= capacity.changed(old, request.capacity_provider_config)
    changed = capacity.check(msgspec.structs.replace(old, **changes))
    snap_start.check(changed)
    file_systems.check(changed)
    if changed.runtime == CUSTOM and capacity.managed(changed):
        raise invalid(
            "The runtime version that the function's runtime alias leads to does not support managed instances."
        )
    return changed


def check_kind(old: api.FunctionConfiguration, request: api.UpdateFunctionCodeRequest) -> None:
    """A zip stays a zip and an image an image: raises AWS's errors."""
    image = old.package_type == "Image"
    if image and not request.image_uri:
        raise invalid("Please provide ImageUri when updating a function with packageType Image.")
    if request.image_uri and not image:
        raise invalid("Please don't provide ImageUri when updating a function with packageType Zip.")


def _check_image(request: api.CreateFunctionRequest) -> None:
    if not request.code.image_uri:
        raise invalid("Please provide ImageUri when creating a function with packageType Image.")
    if request.code.zip_file is not None or request.code.s3_bucket or request.code.s3_key:
        raise invalid("Please don't provide other FunctionCode parameters when providing an ImageUri.")


def _image_members(old: api.FunctionConfiguration, request: Request) -> dict[str, object]:
    """What changes that only images have. Raises AWS's errors for members of the other package type."""
    if old.package_type == "Image":
        if request.runtime or request.handler or request.layers:
            raise invalid(
                "Please don't provide Handler or Runtime or Layer when the intended function PackageType is IMAGE."
            )
    elif request.image_config is not None:
        raise invalid("Please don't provide ImageConfig when the intended function PackageType is ZIP.")
    if request.image_config is None:
        return {}
    return {"image_config_response": api.ImageConfigResponse(image_config=request.image_config)}


def _runtime_members(old: api.FunctionConfiguration, request: Request, key: FunctionKey) -> dict[str, object]:
    """What changes of the runtime: AWS's, or a customer's own, which goes with the identifier `custom`."""
    runtime = request.runtime or old.runtime
    if request.runtime_config is not None and runtime != CUSTOM:
        raise invalid(f"RuntimeConfig can only be specified when Runtime is {CUSTOM}.")
    if request.runtime is None:
        return {} if request.runtime_config is None else {"runtime_config": request.runtime_config}
    if request.runtime != CUSTOM:
        check_runtime(request.runtime)
        version = runtime_version(key.region, request.runtime)
        return {"runtime": request.runtime, "runtime_version_config": version, "runtime_config": None}
    config = request.runtime_config or old.runtime_config
    if config is None:
        raise invalid(f"RuntimeConfig must be specified when Runtime is {CUSTOM}.")
    return {"runtime": CUSTOM, "runtime_version_config": None, "runtime_config": config}


def runtime_version(region: str, runtime: str) -> api.RuntimeVersionConfig:
    digest = hashlib.sha256(runtime.encode()).hexdigest()
    return api.RuntimeVersionConfig(runtime_version_arn=f"arn:aws:lambda:{region}::runtime:{digest}")


def _refuse_missing(request: Request) -> None:
    for attribute, name in _MISSING.items():
        if getattr(request, attribute, None):
            raise NotImplementedHere(f"{name} is not implemented yet. See docs/services/lambda.md.")


def _check_bound(member: str, value: int | None, limit: int) -> None:
    """Limits of an account, where the model allows more for functions of another kind."""
    if value is not None and value > limit:
        raise AwsError(
            f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: "
            f"Member must have value less than or equal to {limit}",
            code="ValidationException",
        )


def _environment(environment: api.Environment, limits: Limits) -> api.EnvironmentResponse | None:
    if environment.variables is None:
        return None
    reserved = [name for name in environment.variables if name in RESERVED_VARIABLES]
    unable = (
        "Lambda was unable to configure your environment variables because the environment variables you have provided "
    )
    if reserved:
        raise invalid(
            f"{unable}contains reserved keys that are currently not supported for modification. "
            f"Reserved keys used in this request: {', '.join(reserved)}"
        )
    measured = msgspec.json.encode(environment.variables)
    if len(measured) > limits.environment_size:
        raise invalid(f"{unable}exceeded the 4KB limit. String measured: {measured.decode()}")
    return api.EnvironmentResponse(variables=environment.variables)


def _dead_letters(config: api.DeadLetterConfig) -> api.DeadLetterConfig | None:
    if not config.target_arn:
        return None
    if config.target_arn.split(":")[2] not in {"sqs", "sns"}:
        raise invalid(f"The provided dead letter config target {config.target_arn} is not a queue or a topic.")
    delivery.check_target(config.target_arn)
    return config


def _logging(old: api.LoggingConfig | None, change: api.LoggingConfig, key: FunctionKey) -> api.LoggingConfig:
    """Levels belong to the JSON format alone; each is INFO there by default."""
    old = old or api.LoggingConfig()
    text = (change.log_format or old.log_format or "Text") == "Text"
    if text and (change.application_log_level or change.system_log_level):
        raise invalid("Can't set ApplicationLogLevel or SystemLogLevel for LogFormat Text.")
    return api.LoggingConfig(
        log_format="Text" if text else "JSON",
        application_log_level=None if text else change.application_log_level or old.application_log_level or "INFO",
        system_log_level=None if text else change.system_log_level or old.system_log_level or "INFO",
        log_group=change.log_group or old.log_group or f"/aws/lambda/{key.name}",
    )
