"""The three ways AWS writes a moment, to and from seconds since the epoch."""

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache, partial
from typing import Final

ISO8601: Final = "iso8601"
RFC822: Final = "rfc822"
UNIX: Final = "unixTimestamp"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?)?\s*(Z|[+-]\d\d:?\d\d)?", re.ASCII
)
_RFC = re.compile(
    r"(?:\w{3},\s*)?(\d{1,2})[ -](\w{3})[ -](\d{4})\s+(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?\s*(?:GMT|UTC|\+0000)",
    re.ASCII,
)


def to_iso8601(seconds: float, *, milliseconds: bool = False) -> str:
    """`2015-01-25T08:00:00Z`; with `.123` when the moment has a fraction, or always with `milliseconds`."""
    whole, millis = divmod(round(seconds * 1000), 1000)
    text = (_EPOCH + timedelta(seconds=whole)).replace(tzinfo=None).isoformat()
    return f"{text}.{millis:03}Z" if milliseconds or millis else f"{text}Z"


# A listing writes the same few moments again and again.
_iso8601 = lru_cache(4096)(to_iso8601)
_iso8601_milliseconds = lru_cache(4096)(partial(to_iso8601, milliseconds=True))


def to_rfc822(seconds: float) -> str:
    """`Sun, 25 Jan 2015 08:00:00 GMT`, as HTTP's headers have it; fractions are cut off."""
    return _rfc822(math.floor(seconds))


@lru_cache(4096)
def _rfc822(seconds: int) -> str:
    at = _EPOCH + timedelta(seconds=seconds)
    return (
        f"{_DAYS[at.weekday()]}, {at.day:02} {_MONTHS[at.month - 1]} {at.year:04} "
        f"{at.hour:02}:{at.minute:02}:{at.second:02} GMT"
    )


def to_unix(seconds: float) -> str:
    """`1422172800`, or `1422172800.123`."""
    return str(int(seconds)) if seconds == int(seconds) else repr(round(seconds, 3))


def writer(form: str, *, milliseconds: bool = False) -> Callable[[float], str]:
    """What gives the text of moments in one of the three forms."""
    if form == ISO8601:
        return _iso8601_milliseconds if milliseconds else _iso8601
    return to_rfc822 if form == RFC822 else to_unix


def read(text: str) -> float:
    """A moment in whichever form it is written. AWS takes all three wherever it takes one. Raises ValueError."""
    text = text.strip()
    if found := _ISO.fullmatch(text):
        year, month, day, hour, minute, second, fraction, zone = found.groups()
        at = datetime(
            int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0), tzinfo=_zone(zone)
        )
        return (at - _EPOCH).total_seconds() + (float(f"0.{fraction}") if fraction else 0.0)
    if found := _RFC.fullmatch(text):
        day, name, year, hour, minute, second, fraction = found.groups()
        if name not in _MONTHS:
            raise ValueError(f"no month is called {name}")
        at = datetime(int(year), _MONTHS.index(name) + 1, int(day), int(hour), int(minute), int(second), tzinfo=UTC)
        return (at - _EPOCH).total_seconds() + (float(f"0.{fraction}") if fraction else 0.0)
    return checked(float(text))


def checked(seconds: float) -> float:
    """The same moment, unless no calendar has it: ValueError for NaN, infinities and years beyond 9999."""
    if not -62135596800 <= seconds <= 253402300799.999:
        raise ValueError(f"{seconds} is no moment that can be written")
    return seconds


def _zone(text: str | None) -> timezone:
    if text in (None, "Z"):
        return UTC
    assert text is not None
    sign = -1 if text[0] == "-" else 1
    return timezone(sign * timedelta(hours=int(text[1:3]), minutes=int(text[-2:])))
