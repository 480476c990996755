"""RFC 3339 timestamps as the language has them: an upper-case T, and Z or an offset."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from functools import lru_cache

_FORM = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:Z|([+-])(\d\d):(\d\d))", re.ASCII)


@lru_cache(maxsize=512)
def parse(text: str) -> tuple[int, int] | None:
    """Seconds since 1970 and nanoseconds of ``text``; None if it is not a timestamp. Comparable as they are."""
    found = _FORM.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second, fraction, sign, hours, minutes = found.groups()
    try:
        zone = timedelta(hours=int(hours), minutes=int(minutes)) if sign else timedelta(0)
        moment = datetime(
            int(year),
            int(month),
            int(day),
            int(hour),
            int(minute),
            int(second),
            tzinfo=timezone(-zone if sign == "-" else zone),
        )
        return int(moment.timestamp()), int((fraction or "0").ljust(9, "0"))
    except (ValueError, OverflowError):
        return None


def seconds(text: str) -> float | None:
    """Seconds since 1970 of ``text``, with its fraction; None if it is not a timestamp."""
    found = parse(text)
    return None if found is None else found[0] + found[1] / 1e9
