"""What the names of a head's headers say by themselves. A client sends the same ones again and again."""

import re
from functools import lru_cache

from msgspec import Struct

_MOST_REMEMBERED = 64
"""Headers of a request whose names are remembered: a short name takes twenty times its size in memory."""
_LASTING = frozenset({"connection", "proxy-connection"})
_SPECIAL = frozenset({"content-length", "expect", "transfer-encoding", "upgrade"})
_PLAIN = frozenset({"content-length"})
# RFC 9110's token.
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class HeaderNames(Struct, frozen=True):
    """The names of one head.

    `keys` has them in small letters. `repeated`: some come more than once. `lasting`: one tells whether the connection goes on.
    `special` has those that say more of the message than a header should. `plain`: each is a name, comes once, and says no more
    of the message than its length, and of the connection no more than `connection` does.
    """

    keys: tuple[str, ...]
    repeated: bool
    lasting: bool
    special: frozenset[str]
    plain: bool


def names_of(names: tuple[bytes, ...], *, lasting: bool = True) -> HeaderNames:
    """What those names say, which is remembered unless they are too many, or shall not last."""
    return _known(names) if lasting and len(names) <= _MOST_REMEMBERED else _known.__wrapped__(names)


@lru_cache(256)
def _known(names: tuple[bytes, ...]) -> HeaderNames:
    keys = tuple([name.decode("latin-1").lower() for name in names])
    repeated = len(set(keys)) < len(keys)
    special = _SPECIAL.intersection(keys)
    plain = not repeated and special <= _PLAIN and "proxy-connection" not in keys and all(map(_NAME.fullmatch, keys))
    return HeaderNames(keys, repeated, not _LASTING.isdisjoint(keys), special, plain)
