"""A checker of histories: could these clients have seen what they saw if every operation took effect at one moment?

For registers whose every write makes a version one higher than the last, the order of the writes is known, so the question
is answered in one sweep over time instead of a search (which is what makes it hard for registers in general).
"""

import itertools
from collections.abc import Iterable, Sequence
from typing import NamedTuple

FOREVER = float("inf")


class Seen(NamedTuple):
    """One operation on one register: it happened somewhere between `begun` and `ended`.

    A write made `version` with `token`; `ended` is FOREVER if nobody knows whether it did. Anything else saw them.
    """

    begun: float
    ended: float
    write: bool
    version: int
    token: str


def violations(history: Iterable[Seen]) -> list[str]:
    """What no register can have done; an empty list if the history is linearizable. Version 0 is what it began with."""
    history = list(history)
    return [*_tokens(history), *_real_time(history)]


def _tokens(history: Sequence[Seen]) -> list[str]:
    """Every version was made once, by one who tried to; who knows of a version knows the same of it."""
    found = []
    made: dict[int, str] = {}
    tried = {(one.version, one.token) for one in history if one.write}
    for one in history:
        if one.write and one.ended != FOREVER:
            if one.version in made:
                found.append(f"version {one.version} was given twice: {made[one.version]} and {one.token}")
            made[one.version] = one.token
    for one in history:
        if one.write or not one.version:
            continue
        if (one.version, one.token) not in tried:
            found.append(f"version {one.version} of {one.token} was seen, and never written")
        elif made.setdefault(one.version, one.token) != one.token:
            found.append(f"version {one.version} is {one.token} and {made[one.version]}")
    missing = set(range(1, max(made, default=0) + 1)) - made.keys() - {version for version, _ in tried}
    return found + [f"version {version} was skipped" for version in sorted(missing)]


def _real_time(history: Sequence[Seen]) -> list[str]:
    """What begins after something has ended sees at least its version, and what it writes is above it."""
    seen = {one.token for one in history if not one.write}
    counted = [one for one in history if one.ended != FOREVER or one.token in seen]
    ends = sorted((one for one in counted if one.ended != FOREVER), key=lambda one: one.ended)
    found, highest, next_end = [], 0, 0
    for one in sorted(counted, key=lambda one: one.begun):
        while next_end < len(ends) and ends[next_end].ended < one.begun:
            highest = max(highest, ends[next_end].version)
            next_end += 1
        if one.version < highest + one.write:
            found.append(f"{one} begins after version {highest} was known")
    return found


class Snapshot(NamedTuple):
    """Several registers, read at one moment between `begun` and `ended`: how often each had been changed."""

    begun: float
    ended: float
    changes: tuple[int, ...]


def disorder(snapshots: Iterable[Snapshot]) -> list[str]:
    """Snapshots that no order of transactions explains, or only one that goes back in time."""
    ordered = sorted(snapshots, key=lambda one: (sum(one.changes), one.ended))
    found = []
    for before, after in itertools.pairwise(ordered):
        if any(first > second for first, second in zip(before.changes, after.changes, strict=True)):
            found.append(f"{before.changes} and {after.changes} cannot both have been")
    latest = 0.0
    for one in ordered:
        if one.ended < latest:
            found.append(f"{one.changes} was seen before less than that")
        latest = max(latest, one.begun)
    return found
