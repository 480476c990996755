"""JSON values as text, and how large they may be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from cumulet.services.stepfunctions.asl.errors import DATA_LIMIT, StatesError
from cumulet.services.stepfunctions.asl.patience import exceeds

# Bytes of UTF-8 that a state's input or output may have. https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
LIMIT = 262_144

_encoder = msgspec.json.Encoder()
loads = msgspec.json.Decoder().decode
encode = _encoder.encode


def check(text: bytes, name: str) -> bytes:
    """``text`` (a payload as UTF-8) if it is within the limit. ``name``: the state, or the task's resource.

    Raises StatesError, ``States.DataLimitExceeded``.
    """
    if len(text) > LIMIT:
        raise too_large(name)
    return text


def too_large(name: str) -> StatesError:
    """``States.DataLimitExceeded`` for what ``name`` (a state, or a task's resource) returned."""
    return StatesError(
        DATA_LIMIT,
        f"The state/task '{name}' returned a result with a size exceeding the maximum number of bytes service limit.",
    )


# Bytes that all variables of an execution may have; what one Assign sets may have LIMIT.
VARIABLES = 10 * 1024 * 1024


def check_assigned(assigned: dict[str, Any], variables: Mapping[str, Any]) -> None:
    """Raises StatesError where an Assign sets too much, or all ``variables`` with it become too large."""
    if exceeds(assigned) or (size := len(encode(assigned))) > LIMIT:
        raise _variables_too_large(LIMIT)
    # Only many variables, or large ones, can come near the limit of all.
    if len(variables) * LIMIT + size > VARIABLES and len(encode(dict(variables))) + size > VARIABLES:
        raise _variables_too_large(VARIABLES)


def _variables_too_large(most: int) -> StatesError:
    return StatesError(
        DATA_LIMIT, f"The size of the assigned variables exceeds the maximum of {most} bytes.", inner=True
    )
