"""Deleting what is past its retention, and the events of deleted streams."""

from cumulet.kernel.clock import wait_until
from cumulet.services.logs.model import DAY_MS
from cumulet.services.logs.state import Logs

_AT_ONCE = 2_000
_EVERY = 3_600.0


async def sweep(logs: Logs) -> None:
    """Runs for ever: at start, after deletions, and every hour of the clock. Reads leave expired events out anyway."""
    while True:
        logs.swept.clear()
        while await logs.events.sweep_garbage(_AT_ONCE):
            pass
        for group, days in await logs.events.groups_with_retention():
            while await logs.events.sweep_expired(group, logs.now() - days * DAY_MS, _AT_ONCE):
                pass
        await wait_until(logs.clock, logs.clock.now() + _EVERY, logs.swept)
