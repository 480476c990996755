"""IAM's loops."""

from cumulet.kernel.clock import Clock
from cumulet.services.iam.keys import Keys

_EVERY = 60.0


async def write_uses(keys: Keys, clock: Clock) -> None:
    """Write down when keys were last used, now and then."""
    while True:
        await clock.sleep(_EVERY)
        await keys.write_uses()
