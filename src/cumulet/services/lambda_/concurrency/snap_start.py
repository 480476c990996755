"""SnapStart as a member of a function's configuration: where it may be, and what published versions make of it.

https://docs.aws.amazon.com/lambda/latest/dg/snapstart.html
"""

from __future__ import annotations

import re

from cumulet.api import lambda_ as api
from cumulet.kernel.errors import NotImplementedHere
from cumulet.services.lambda_.errors import invalid
from cumulet.services.lambda_.names import LATEST

SNAP_START = "snap-start"
"""How environments that are restored were initialised."""

_PYTHON = re.compile(r"python3\.(\d+)$")
_FIRST_PYTHON = 12
_JAVA = ("java11", "java17", "java21", "java25")
_OTHERS = ("dotnet8", "dotnet10")
_MOST_STORAGE_MB = 512


def check(configuration: api.FunctionConfiguration) -> None:
    """Raises InvalidParameterValueException for what cannot have snapshots, NotImplementedHere for what cannot here."""
    if not asked(configuration):
        return
    runtime = configuration.runtime or ""
    if configuration.package_type == "Image":
        raise invalid("Container images are not supported for SnapStart enabled functions.")
    if runtime in _OTHERS:
        raise NotImplementedHere(f"SnapStart of {runtime} is not implemented yet. See docs/services/lambda.md.")
    python = _PYTHON.match(runtime)
    if runtime not in _JAVA and (python is None or int(python[1]) < _FIRST_PYTHON):
        raise invalid(f"{runtime} is not supported for SnapStart enabled functions.")
    storage = configuration.ephemeral_storage
    if storage is not None and storage.size > _MOST_STORAGE_MB:
        raise invalid("Ephemeral storage over 512 MB is not supported for SnapStart enabled functions.")


def members(request: api.SnapStart | None) -> dict[str, object]:
    """What a request changes of a function."""
    if request is None or not request.apply_on:
        return {}
    return {"snap_start": api.SnapStartResponse(apply_on=request.apply_on, optimization_status="Off")}


def asked(configuration: api.FunctionConfiguration) -> bool:
    """Whether versions that are published of it are to have snapshots."""
    return configuration.snap_start is not None and configuration.snap_start.apply_on == "PublishedVersions"


def is_on(configuration: api.FunctionConfiguration) -> bool:
    """Whether it is of a version that has snapshots."""
    return asked(configuration) and configuration.version != LATEST


def published(configuration: api.FunctionConfiguration) -> dict[str, object]:
    """The members in which the configuration of a version that is published of it differs for SnapStart."""
    if not asked(configuration):
        return {}
    return {"snap_start": api.SnapStartResponse(apply_on="PublishedVersions", optimization_status="On")}
