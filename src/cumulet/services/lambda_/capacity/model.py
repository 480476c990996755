"""What CapacityProviderConfig means for a function: the rules that need no store."""

from __future__ import annotations

import re

import msgspec
from msgspec import Struct

from cumulet.api import lambda_ as api
from cumulet.services.lambda_.errors import invalid

SCALING = "scaling"
"""The kind of setting that holds a `Scaling`."""
MANAGED = "lambda-managed-instances"
"""How environments of such functions are initialised."""

_LEAST_MEMORY_MB = 2048
_DEFAULT_RATIO = 2.0
_PER_PROCESSOR = (("python", 16), ("nodejs", 64), ("java", 32), ("dotnet", 32))
_PER_PROCESSOR_OF_OTHERS = 8
_MOST = 1600
_ARN = re.compile(r"arn:aws[a-zA-Z-]*:lambda:(?P<region>[^:]+):(?P<account>\d{12}):capacity-provider:(?P<name>.+)")


class Scaling(Struct, frozen=True, omit_defaults=True):
    """How many environments a version has; as many as are needed without `most`."""

    least: int | None = None
    most: int | None = None

    @property
    def kept(self) -> int:
        """Those that are there without an invocation. AWS keeps three, for as many zones: a node is one."""
        usual = 1 if self.most is None else min(1, self.most)
        return usual if self.least is None else self.least

    @property
    def off(self) -> bool:
        """Whether the version is not to run at all."""
        return self.least == 0 and self.most == 0

    def answer(self) -> api.FunctionScalingConfig:
        return api.FunctionScalingConfig(min_execution_environments=self.least, max_execution_environments=self.most)


def place_of(arn: str) -> tuple[str, str, str]:
    """Account, region and name of a provider. The model has checked the ARN."""
    match = _ARN.fullmatch(arn)
    if match is None:
        raise invalid(f"{arn} is not the ARN of a capacity provider.")
    return match["account"], match["region"], match["name"]


def managed(configuration: api.FunctionConfiguration) -> bool:
    return configuration.capacity_provider_config is not None


def instances(configuration: api.FunctionConfiguration) -> api.LambdaManagedInstancesCapacityProviderConfig | None:
    config = configuration.capacity_provider_config
    return None if config is None else config.lambda_managed_instances_capacity_provider_config


def concurrency(configuration: api.FunctionConfiguration) -> int:
    """Invocations that one environment serves at once: what was asked for, or what AWS's runtimes have for each processor."""
    config = instances(configuration)
    if config is None:
        return 1
    if config.per_execution_environment_max_concurrency is not None:
        return config.per_execution_environment_max_concurrency
    ratio = config.execution_environment_memory_gi_b_per_v_cpu or _DEFAULT_RATIO
    processors = max(1.0, (configuration.memory_size or _LEAST_MEMORY_MB) / 1024 / ratio)
    runtime = configuration.runtime or ""
    each = next((each for start, each in _PER_PROCESSOR if runtime.startswith(start)), _PER_PROCESSOR_OF_OTHERS)
    return min(_MOST, int(processors * each))


def usual(request: api.CreateFunctionRequest) -> dict[str, object]:
    """The members in which a function that is made with a provider differs where its request says nothing."""
    if request.capacity_provider_config is None:
        return {}
    return {
        "memory_size": _LEAST_MEMORY_MB,
        "capacity_provider_config": request.capacity_provider_config,
    }


def changed(
    old: api.FunctionConfiguration, config: api.CapacityProviderConfig | None
) -> dict[str, api.CapacityProviderConfig]:
    """What a request changes of it. A function keeps the provider it was made with, or none: raises AWS's errors."""
    if config is None:
        return {}
    before, after = instances(old), config.lambda_managed_instances_capacity_provider_config
    if before is None:
        raise invalid("CapacityProviderConfig cannot be added to a function that was created without it.")
    if before.capacity_provider_arn != after.capacity_provider_arn:
        raise invalid("The capacity provider of a function cannot be changed.")
    return {"capacity_provider_config": config}


def check(configuration: api.FunctionConfiguration) -> api.FunctionConfiguration:
    """Whether the rest of a configuration goes with its provider; gives it with the log format that all of them have.

    Raises InvalidParameterValueException.
    """
    if not managed(configuration):
        return configuration
    if (configuration.memory_size or 0) < _LEAST_MEMORY_MB:
        raise invalid(f"MemorySize must be at least {_LEAST_MEMORY_MB} MB for functions with a capacity provider.")
    vpc = configuration.vpc_config
    if vpc is not None and vpc.subnet_ids:
        raise invalid("VpcConfig is not supported for functions with a capacity provider.")
    if configuration.snap_start is not None and configuration.snap_start.apply_on == "PublishedVersions":
        raise invalid("SnapStart is not supported for functions with a capacity provider.")
    if configuration.tenancy_config is not None:
        raise invalid("Tenant isolation is not supported for functions with a capacity provider.")
    logging = configuration.logging_config or api.LoggingConfig()
    if logging.log_format != "JSON":
        logging = msgspec.structs.replace(
            logging, log_format="JSON", application_log_level="INFO", system_log_level="INFO"
        )
    return msgspec.structs.replace(configuration, logging_config=logging)
