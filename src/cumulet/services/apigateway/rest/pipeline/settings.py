"""Settings of a stage for its methods: those of `*/*`, and what single methods have of their own.

https://docs.aws.amazon.com/apigateway/latest/api/API_MethodSetting.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, convert

if TYPE_CHECKING:
    from cumulet.api import apigateway as api


class Settings(Struct, frozen=True, kw_only=True):
    """What holds for one method. A rate or burst of -1 is none of the stage's: the account's alone counts."""

    rate: float = -1.0
    burst: int = -1
    log_level: str = "OFF"
    data_trace: bool = False
    metrics: bool = False
    caching: bool = False
    ttl: int = 300
    cache_control_authorized: bool = True
    unauthorized_cache_control: str = "SUCCEED_WITH_RESPONSE_HEADER"


def settings_of(stage: api.Stage, path: str, method: str) -> Settings:
    """The settings of a method by its resource's path. Caching is for GET unless the method itself says otherwise."""
    found = stage.method_settings or {}
    named = {_place(name): setting for name, setting in found.items()}
    values: dict[str, object] = {}
    caching = False
    wanted = _place(f"{path}/{method}")
    for place, default in (("*/*", True), (wanted, False)):
        setting = named.get(place)
        if setting is None:
            continue
        if setting.caching_enabled is not None:
            caching = setting.caching_enabled and (not default or method == "GET")
        for ours, theirs in _NAMES.items():
            value = getattr(setting, theirs)
            if value is not None:
                values[ours] = value
    caching = caching and bool(stage.cache_cluster_enabled)
    return convert({**values, "caching": caching}, Settings)


_NAMES = {
    "rate": "throttling_rate_limit",
    "burst": "throttling_burst_limit",
    "log_level": "logging_level",
    "data_trace": "data_trace_enabled",
    "metrics": "metrics_enabled",
    "ttl": "cache_ttl_in_seconds",
    "cache_control_authorized": "require_authorization_for_cache_control",
    "unauthorized_cache_control": "unauthorized_cache_control_header_strategy",
}


def _place(name: str) -> str:
    """`/pets/{id}/GET` and `~1pets~1{id}/GET` are the same."""
    return name.replace("~1", "/").replace("~0", "~").lstrip("/")
