"""IAM's loops."""

from cumulet.kernel.clock import Clock
from cumulet.services.iam.uses import Uses

_EVERY = 60.0


async def write_uses(uses: Uses, clock: Clock) -> None:
    """Write down when keys and roles were last used, now and then."""
    while True:
        await clock.sleep(_EVERY)
        await uses.write()
