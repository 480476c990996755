"""Functions that nobody has called for weeks give back what was set up for them, and have it made again when called.

That is so for functions in a VPC; others are ready for ever.
https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html
"""

import logging
from typing import TYPE_CHECKING

from cumulet.kernel.ids import new_id
from cumulet.services.lambda_.model import PROVISIONED, Version
from cumulet.services.lambda_.names import FunctionKey
from cumulet.storage.database import Database, Transaction

if TYPE_CHECKING:
    from cumulet.services.lambda_.state import Lambda

log = logging.getLogger(__name__)

SCHEMA = (
    """CREATE TABLE lambda_idle (account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL,
       used DOUBLE PRECISION NOT NULL, PRIMARY KEY (account, region, name))""",
)

_SWEEP = 6 * 3600.0
_EVERY = 1_000_000


def can_idle(version: Version) -> bool:
    """Whether there is something of a version that can be given back."""
    vpc = version.configuration.vpc_config
    return vpc is not None and bool(vpc.subnet_ids)


class Idleness:
    """When functions were last used: in memory, and in the store four times a day, which is exact enough for weeks."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._used: dict[FunctionKey, float] = {}

    def note(self, key: FunctionKey, now: float) -> None:
        """A function that can idle is invoked."""
        self._used[key] = now

    async def touch(self, tx: Transaction, key: FunctionKey, now: float) -> None:
        """A function that can idle has become ready."""
        await tx.write(
            """INSERT INTO lambda_idle (account, region, name, used) VALUES ($1, $2, $3, $4)
               ON CONFLICT (account, region, name) DO UPDATE SET used = $4""",
            (*key, now),
        )

    async def forget(self, tx: Transaction, key: FunctionKey, qualifier: str | None) -> None:
        """A function is gone, or idle: there is nothing left to give back. One of its versions changes nothing."""
        if qualifier is None:
            self._used.pop(key, None)
            await tx.write("DELETE FROM lambda_idle WHERE account = $1 AND region = $2 AND name = $3", key)

    async def since(self, moment: float) -> list[FunctionKey]:
        """Those not used since then; what is known in memory is written first."""
        used, self._used = self._used, {}
        if used:
            async with self._db.transaction() as tx:
                for key, when in used.items():
                    await tx.write(
                        "UPDATE lambda_idle SET used = $4 WHERE account = $1 AND region = $2 AND name = $3",
                        (*key, when),
                    )
        rows = await self._db.read("SELECT account, region, name FROM lambda_idle WHERE used < $1", (moment,))
        return [FunctionKey(*row) for row in rows]


async def sweep(lambda_: "Lambda") -> None:
    """Make functions Inactive when they have been idle for long enough; for ever."""
    while True:
        await lambda_.clock.sleep(_SWEEP)
        for key in await lambda_.idle.since(lambda_.clock.now() - lambda_.limits.idle_seconds):
            try:
                await _deactivate(lambda_, key)
            except Exception:
                log.exception("%s stays active for now", key.arn)


async def wake(lambda_: "Lambda", key: FunctionKey) -> None:
    """Begin to make an Inactive function ready again; the invocation that asked for it fails, as AWS has it."""
    async with lambda_.change(key) as tx:
        for version in await lambda_.store.versions(key, -1, _EVERY, tx):
            if version.configuration.state == "Inactive":
                pending = version.changed(
                    revision_id=new_id(),
                    state="Pending",
                    state_reason="The function is being restored.",
                    state_reason_code="Restoring",
                )
                await lambda_.store.put_version(tx, key, pending)
    lambda_.settle(key)


async def _deactivate(lambda_: "Lambda", key: FunctionKey) -> None:
    now = lambda_.clock.now()
    deployments: list[str] = []
    async with lambda_.change(key) as tx:
        if await lambda_.store.settings(PROVISIONED, key, "", 1):  # what is kept ready is not idle
            await lambda_.idle.touch(tx, key, now)
            return
        for version in await lambda_.store.versions(key, -1, _EVERY, tx):
            if can_idle(version) and version.configuration.state == "Active":
                idle = version.changed(
                    revision_id=new_id(),
                    state="Inactive",
                    state_reason="The function has not been invoked for a long time.",
                    state_reason_code="Idle",
                )
                await lambda_.store.put_version(tx, key, idle)
                deployments.append(version.deployment)
        await lambda_.idle.forget(tx, key, None)
    lambda_.retire(deployments, ())
