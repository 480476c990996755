"""Times as people write them on a command line."""

import re
from datetime import UTC, datetime

import click

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_AGO = re.compile(r"(\d{1,9})([smhdw])")


def seconds_since_1970(since: str, now: float) -> float:
    """What `--since` means at `now`: 30s, 10m, 2h, 1d, or an ISO time. Never before 1970."""
    if (found := _AGO.fullmatch(since)) is not None:
        return max(0.0, now - int(found[1]) * _UNITS[found[2]])
    try:
        moment = datetime.fromisoformat(since)
    except ValueError:
        raise click.BadParameter("it takes 30s, 10m, 2h, 1d or an ISO time.", param_hint="--since") from None
    return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
