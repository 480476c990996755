"""What names may be made of."""

from __future__ import annotations

import re

from cumulet.api import stepfunctions as api

_FORBIDDEN = re.compile(
    r"[\s<>{}\[\]?*\"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f\ufffe\uffff\ud800-\udfff\U0010ffff]",
)


def check_name(name: str) -> None:
    """The rules for machines, activities and executions, as CreateStateMachine documents them. Raises InvalidName."""
    if _FORBIDDEN.search(name):
        raise api.InvalidName(f"Invalid Name: '{name}'")
