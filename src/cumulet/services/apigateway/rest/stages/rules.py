"""What a stage may be, and how PATCH changes it: deployment, variables, settings of methods, access log, canary.

https://docs.aws.amazon.com/apigateway/latest/api/patch-operations.html#UpdateStage-Patch
"""

from __future__ import annotations

import re
from collections.abc import Callable

from msgspec.structs import replace

from cumulet.api import apigateway as api
from cumulet.kernel.errors import AwsError
from cumulet.services.apigateway.errors import bad_request
from cumulet.services.apigateway.plane.logs import check_destination
from cumulet.services.apigateway.rest.patch import Step, flag, number, text, whole

CACHE_SIZES = ("0.5", "1.6", "6.1", "13.5", "28.4", "58.2", "118", "237")
_STRATEGIES = ("FAIL_WITH_403", "SUCCEED_WITH_RESPONSE_HEADER", "SUCCEED_WITHOUT_RESPONSE_HEADER")
_LEVELS = ("OFF", "ERROR", "INFO")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,128}")
_VARIABLE = re.compile(r"[A-Za-z0-9_]+")
_VALUE = re.compile(r"[A-Za-z0-9\-._~:/?#&=,%$@!'()*+;\[\]{} |\\]*")
_LONGEST_TTL = 3600
_EVERY = "*/*"

_SETTINGS = (
    "{0}metrics/enabled, {0}logging/dataTrace, {0}logging/loglevel, {0}throttling/burstLimit{1}{0}throttling/rateLimit{1}"
    "{0}caching/ttlInSeconds, {0}caching/enabled, {0}caching/dataEncrypted, {0}caching/requireAuthorizationForCacheControl, "
    "{0}caching/unauthorizedCacheControlHeaderStrategy"
)
_PATHS = (
    "/deploymentId, /description, /cacheClusterEnabled, /cacheClusterSize, /clientCertificateId, /accessLogSettings, "
    "/accessLogSettings/destinationArn, /accessLogSettings/format, "
    f"{_SETTINGS.format('/{resourcePath}/{httpMethod}/', '')}, {_SETTINGS.format('/*/*/', ' ')}, "
    "/variables/{variable_name}, /tracingEnabled"
)
"""As AWS lists them, with the commas that it leaves out."""


def new(name: str, deployment_id: str, now: float) -> api.Stage:
    """A stage with AWS's defaults; raises BadRequestException for a name that cannot be."""
    if not _NAME.fullmatch(name):
        raise bad_request("Stage name only allows a-zA-Z0-9_-")
    return api.Stage(
        stage_name=name,
        deployment_id=deployment_id,
        cache_cluster_enabled=False,
        cache_cluster_status="NOT_AVAILABLE",
        method_settings={},
        tracing_enabled=False,
        created_date=now,
        last_updated_date=now,
    )


def set_cache(stage: api.Stage, enabled: bool | None, size: str | None) -> None:
    """A cache cluster is there at once; raises BadRequestException."""
    if size:
        if size not in CACHE_SIZES:
            raise bad_request(f"Invalid cache cluster size specified. Valid options are {','.join(CACHE_SIZES)}")
        stage.cache_cluster_size = size
    if enabled is not None:
        stage.cache_cluster_enabled = enabled
    stage.cache_cluster_status = "AVAILABLE" if stage.cache_cluster_enabled else "NOT_AVAILABLE"
    if stage.cache_cluster_enabled and not stage.cache_cluster_size:
        stage.cache_cluster_size = CACHE_SIZES[0]


def checked_variables(variables: dict[str, str]) -> dict[str, str]:
    """Raises BadRequestException for names and values that stage variables cannot have."""
    for name, content in variables.items():
        if not _VARIABLE.fullmatch(name):
            raise bad_request(f"Stage variable name only allows a-zA-Z0-9_: {name}")
        if len(content) > 2048 or not _VALUE.fullmatch(content):
            raise bad_request(
                f"Invalid stage variable value: {content}. Please use values with alphanumeric characters and the symbols "
                "' ', -', '.', '_', ':', '/', '?', '&', '=', ',', and '@'."
            )
    return variables


def canary(stage: api.Stage, asked: api.CanarySettings) -> api.CanarySettings:
    """Canary settings with AWS's defaults."""
    return replace(
        asked,
        percent_traffic=asked.percent_traffic or 0.0,
        deployment_id=asked.deployment_id or stage.deployment_id,
        stage_variable_overrides=asked.stage_variable_overrides or None,
        use_stage_cache=bool(asked.use_stage_cache),
    )


def apply(stage: api.Stage, step: Step) -> None:
    """Change a stage by one operation; raises BadRequestException. Whether deployments are there, the caller looks."""
    if step.op == "copy":
        _copy(stage, step)
    elif step.op == "remove":
        _remove(stage, step)
    elif step.op not in ("add", "replace"):
        raise bad_request(f"Invalid {step.op} operation with path: {step.path}")
    elif step.names[0] == "accessLogSettings":
        _set_access_log(stage, step)
    elif len(step.names) == 2 and step.names[0] == "variables":
        stage.variables = (stage.variables or {}) | checked_variables({step.names[1]: text(step)})
    elif step.op == "add":
        raise bad_request(f"Invalid add operation with path: {step.path}")
    elif step.names[0] == "canarySettings":
        _set_canary(stage, step)
    elif len(step.names) == 1:
        _set_field(stage, step)
    else:
        _set_method(stage, step)


def _unknown(step: Step) -> AwsError:
    return bad_request(f"Invalid method setting path: {step.path}. Must be one of: [{_PATHS}]")


def _set_field(stage: api.Stage, step: Step) -> None:
    name = step.names[0]
    if name == "cacheClusterEnabled":
        set_cache(stage, flag(step), None)
    elif name == "cacheClusterSize":
        set_cache(stage, None, text(step))
    elif name == "tracingEnabled":
        stage.tracing_enabled = flag(step)
    elif name in _FIELDS:
        setattr(stage, _FIELDS[name], step.value or None)
    else:
        raise _unknown(step)


_FIELDS = {
    "deploymentId": "deployment_id",
    "description": "description",
    "clientCertificateId": "client_certificate_id",
    "documentationVersion": "documentation_version",
}


def _set_access_log(stage: api.Stage, step: Step) -> None:
    field = {"destinationArn": "destination_arn", "format": "format"}.get("/".join(step.names[1:]))
    if field is None:
        raise bad_request(
            "Invalid accessLogSettings path. Must be one of : [/accessLogSettings/destinationArn, /accessLogSettings/format]"
        )
    if not step.value:
        raise bad_request("Access Log value must not be empty")
    settings = stage.access_log_settings or api.AccessLogSettings()
    if field == "destination_arn":
        check_destination(step.value, "apigateway")
    setattr(settings, field, step.value.removesuffix(":*") if field == "destination_arn" else step.value)
    stage.access_log_settings = settings


def _set_canary(stage: api.Stage, step: Step) -> None:
    settings = stage.canary_settings or canary(stage, api.CanarySettings())
    match step.names[1:]:
        case ("deploymentId",):
            settings.deployment_id = text(step)
        case ("percentTraffic",):
            settings.percent_traffic = number(step)
            if not 0.0 <= settings.percent_traffic <= 100.0:
                raise bad_request("Invalid canary percentTraffic specified. It must be between 0.0 and 100.0")
        case ("useStageCache",):
            settings.use_stage_cache = flag(step)
        case ("stageVariableOverrides", name):
            overrides = checked_variables({name: text(step)})
            settings.stage_variable_overrides = (settings.stage_variable_overrides or {}) | overrides
        case _:
            raise _unknown(step)
    stage.canary_settings = settings


def _copy(stage: api.Stage, step: Step) -> None:
    """Promotion: what a canary runs becomes what the stage runs."""
    if (step.path, step.source) not in (
        ("/deploymentId", "/canarySettings/deploymentId"),
        ("/variables", "/canarySettings/stageVariableOverrides"),
    ):
        raise bad_request(
            f"Invalid copy operation with path: {step.path} and from {step.source}. Valid copy:path are "
            "[/deploymentId, /variables] and valid copy:from are [/canarySettings/deploymentId, "
            "/canarySettings/stageVariableOverrides]"
        )
    if stage.canary_settings is None:
        raise bad_request("Promotion not available. Canary does not exist.")
    if step.path == "/deploymentId":
        stage.deployment_id = stage.canary_settings.deployment_id
    elif overrides := stage.canary_settings.stage_variable_overrides:
        stage.variables = (stage.variables or {}) | overrides


def _remove(stage: api.Stage, step: Step) -> None:
    settings = stage.method_settings or {}
    match step.names:
        case ("accessLogSettings",):
            stage.access_log_settings = None
            return
        case ("canarySettings",):
            stage.canary_settings = None
            return
        case ("description",):
            stage.description = None
            return
        case ("clientCertificateId",):
            stage.client_certificate_id = None
            return
        case ("variables", name) if name in (stage.variables or {}):
            assert stage.variables is not None
            del stage.variables[name]
            stage.variables = stage.variables or None
            return
        case ("canarySettings", "stageVariableOverrides", name) if stage.canary_settings is not None and name in (
            stage.canary_settings.stage_variable_overrides or {}
        ):
            overrides = stage.canary_settings.stage_variable_overrides or {}
            del overrides[name]
            stage.canary_settings.stage_variable_overrides = overrides or None
            return
    key = _method_key(step.names)
    if settings.pop(key, None) is None:
        raise bad_request(
            f"Cannot remove method setting {step.path[1:]} because there is no method setting for this method "
        )
    stage.method_settings = settings


def _method_key(names: tuple[str, ...]) -> str:
    """`pets/{id}/GET`: a method's path without the slash at its beginning, whether it was escaped or not."""
    return f"{'/'.join(names[:-1]).lstrip('/')}/{names[-1]}"


def _set_method(stage: api.Stage, step: Step) -> None:
    setter = _SETTERS.get(step.names[-2:])
    if setter is None or len(step.names) < 4:
        raise _unknown(step)
    field, take = setter
    taken = take(step)
    settings = stage.method_settings or {}
    key = _method_key(step.names[:-2])
    found = settings.get(key)
    if found is None:
        found = replace(settings.get(_EVERY) or _default_settings())
    setattr(found, field, taken)
    stage.method_settings = settings | {key: found}


def _default_settings() -> api.MethodSetting:
    return api.MethodSetting(
        metrics_enabled=False,
        data_trace_enabled=False,
        throttling_burst_limit=5000,
        throttling_rate_limit=10_000.0,
        caching_enabled=False,
        cache_ttl_in_seconds=300,
        cache_data_encrypted=False,
        require_authorization_for_cache_control=True,
        unauthorized_cache_control_header_strategy="SUCCEED_WITH_RESPONSE_HEADER",
    )


def _ttl(step: Step) -> int:
    seconds = whole(step)
    if not 0 <= seconds <= _LONGEST_TTL:
        raise bad_request(f"Invalid cache TTL specified. It must be between 0 and {_LONGEST_TTL} seconds")
    return seconds


def _one_of(valid: tuple[str, ...]) -> Callable[[Step], str]:
    def take(step: Step) -> str:
        if step.value not in valid:
            raise bad_request(f"Invalid value {step.value} for {step.path}. Must be one of: [{', '.join(valid)}]")
        return step.value

    return take


_SETTERS: dict[tuple[str, ...], tuple[str, Callable[[Step], object]]] = {
    ("metrics", "enabled"): ("metrics_enabled", flag),
    ("logging", "dataTrace"): ("data_trace_enabled", flag),
    ("logging", "loglevel"): ("logging_level", _one_of(_LEVELS)),
    ("throttling", "burstLimit"): ("throttling_burst_limit", whole),
    ("throttling", "rateLimit"): ("throttling_rate_limit", number),
    ("caching", "enabled"): ("caching_enabled", flag),
    ("caching", "ttlInSeconds"): ("cache_ttl_in_seconds", _ttl),
    ("caching", "dataEncrypted"): ("cache_data_encrypted", flag),
    ("caching", "requireAuthorizationForCacheControl"): ("require_authorization_for_cache_control", flag),
    ("caching", "unauthorizedCacheControlHeaderStrategy"): (
        "unauthorized_cache_control_header_strategy",
        _one_of(_STRATEGIES),
    ),
}
