"""Point-in-time recovery: from which moment on a table's former states are kept, and for how long."""

from __future__ import annotations

import logging

from msgspec.structs import replace

from cumulet.api import dynamodb as api
from cumulet.kernel.call import Call
from cumulet.services.dynamodb import history, names, store
from cumulet.services.dynamodb.backups import operations
from cumulet.services.dynamodb.errors import invalid
from cumulet.services.dynamodb.model import Table
from cumulet.services.dynamodb.state import DynamoDb
from cumulet.storage.database import StorageError

log = logging.getLogger(__name__)

_DAY = 86_400.0
_MOST_DAYS = 35
_TRIM_SECONDS = 3600.0


async def update_continuous_backups(
    dynamodb: DynamoDb, call: Call, request: api.UpdateContinuousBackupsInput
) -> api.UpdateContinuousBackupsOutput:
    wanted = request.point_in_time_recovery_specification
    found = await table(dynamodb, call, request.table_name)
    days = wanted.recovery_period_in_days
    if days is not None and not wanted.point_in_time_recovery_enabled:
        raise invalid("RecoveryPeriodInDays cannot be set when point-in-time recovery is being turned off.")
    async with dynamodb.change(found) as (tx, now):
        changed = replace(now, recovery=wanted.point_in_time_recovery_enabled, recovery_days=days or now.recovery_days)
        if changed.recovery and not now.recovery:
            changed = replace(changed, recovery_since=dynamodb.clock.now(), recovery_days=days or _MOST_DAYS)
        await store.save(tx, changed)
    if changed.recovery and not now.recovery:
        # Whoever found the table as it was before has had its turn by now: from here on, no change is unknown.
        async with dynamodb.change(changed) as (tx, now):
            changed = replace(now, recovery_since=dynamodb.clock.now())
            await store.save(tx, changed)
    return api.UpdateContinuousBackupsOutput(continuous_backups_description=_description(dynamodb, changed))


async def describe_continuous_backups(
    dynamodb: DynamoDb, call: Call, request: api.DescribeContinuousBackupsInput
) -> api.DescribeContinuousBackupsOutput:
    found = await table(dynamodb, call, request.table_name)
    return api.DescribeContinuousBackupsOutput(continuous_backups_description=_description(dynamodb, found))


async def table(dynamodb: DynamoDb, call: Call, given: str) -> Table:
    """The table that a request names. Raises TableNotFoundException."""
    place = names.place(call, given)
    found = await dynamodb.directory.find(place)
    if found is None:
        raise api.TableNotFoundException(f"Table not found: {place[2]}")
    return found


def window(table: Table, now: float) -> tuple[float, float]:
    """The first and the last moment that a table can be restored to."""
    return max(table.recovery_since, now - table.recovery_days * _DAY), now


def _description(dynamodb: DynamoDb, table: Table) -> api.ContinuousBackupsDescription:
    shown = api.PointInTimeRecoveryDescription(point_in_time_recovery_status="DISABLED")
    if table.recovery:
        earliest, latest = window(table, dynamodb.clock.now())
        shown = api.PointInTimeRecoveryDescription(
            point_in_time_recovery_status="ENABLED",
            recovery_period_in_days=table.recovery_days,
            earliest_restorable_date_time=earliest,
            latest_restorable_date_time=latest,
        )
    return api.ContinuousBackupsDescription(
        continuous_backups_status="ENABLED", point_in_time_recovery_description=shown
    )


async def trim(dynamodb: DynamoDb) -> None:
    """Forget, now and then, former states that nobody can restore any more."""
    while True:
        try:
            await _trim(dynamodb)
            await operations.forget_expired(dynamodb)
        except StorageError:
            log.exception("former states of items could not be removed, again in %.0f s", _TRIM_SECONDS)
        await dynamodb.clock.sleep(_TRIM_SECONDS)


async def _trim(dynamodb: DynamoDb) -> None:
    now = dynamodb.clock.now()
    for each in await dynamodb.tables.all():
        if each.held:
            continue
        before = window(each, now)[0] if each.recovery else now
        while await history.trim(dynamodb.db, each.id, int(before * 1e6)):
            pass
