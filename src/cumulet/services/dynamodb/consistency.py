"""Global tables of strong consistency: which regions hold one, and what such a table cannot have.

Regions of this installation never disagree, so the rules on a table's shape are all there is to it.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/V2globaltables_HowItWorks.html#V2globaltables_HowItWorks.consistency-modes
"""

from __future__ import annotations

from msgspec.structs import replace

from cumulet.api import dynamodb as api
from cumulet.kernel.errors import AwsError
from cumulet.services.dynamodb.errors import invalid
from cumulet.services.dynamodb.model import STRONG, Table
from cumulet.storage.database import Transaction

_SETS = (
    frozenset(("us-east-1", "us-east-2", "us-west-2")),
    frozenset(("eu-west-1", "eu-west-2", "eu-west-3", "eu-central-1")),
    frozenset(("ap-northeast-1", "ap-northeast-2", "ap-northeast-3")),
)
_MEMBERS = 3


def unsupported(table: Table, what: str) -> None:
    """Raises ValidationException for what a table of strong consistency cannot have or do."""
    if table.consistency == STRONG:
        raise invalid(f"{what} not supported on tables configured for multi-Region strong consistency: {table.name}")


async def began(tx: Transaction, table: Table, request: api.UpdateTableInput) -> Table:
    """The table as the request makes it, of strong consistency or not. Raises ValidationException for updates of replicas
    and witnesses that do not go with the one or the other."""
    wanted = request.multi_region_consistency
    if table.consistency == STRONG:
        _check_changed(table, request)
    elif wanted == STRONG:
        if table.replicas:
            raise invalid("The consistency mode of a global table cannot be changed")
        witness = _witness(request, "create")
        _check_group(table, _regions(request, "create"), witness)
        if await tx.read("SELECT 1 FROM ddb_item WHERE tbl = $1 LIMIT 1", (table.id,)):
            raise _invalid_group("The table must be empty")
        return replace(table, consistency=STRONG, witness=witness)
    elif request.global_table_witness_updates:
        raise invalid("Witnesses can only be part of global tables of multi-Region strong consistency")
    elif wanted is not None and not _regions(request, "create"):
        raise invalid("MultiRegionConsistency can only be specified when replicas are created")
    return table


def _check_changed(table: Table, request: api.UpdateTableInput) -> None:
    """Its regions stay together: they all go, or none."""
    if request.multi_region_consistency not in (None, STRONG):
        raise invalid("The consistency mode of a global table cannot be changed")
    if _regions(request, "create") or _witness(request, "create"):
        raise _invalid_group("Replicas and witnesses cannot be added to it")
    deleted, witness = _regions(request, "delete"), _witness(request, "delete")
    if not deleted and not witness:
        return
    if set(deleted) != {replica.region for replica in table.replicas} or witness != table.witness:
        raise _invalid_group("All of its other replicas and its witness must be deleted together")


def _check_group(table: Table, created: list[str], witness: str) -> None:
    members = [table.region, *created, *([witness] if witness else [])]
    if not created or len(members) != _MEMBERS or len(set(members)) != _MEMBERS:
        raise _invalid_group("It must have exactly three replicas, or two replicas and a witness, in different regions")
    if not any(set(members) <= each for each in _SETS):
        raise _invalid_group(f"Its regions must be of one set of regions: {', '.join(members)}")
    if table.local:
        raise _invalid_group("The table must have no local secondary indexes")
    if table.ttl:
        raise _invalid_group("The table must have no time to live")


def _regions(request: api.UpdateTableInput, action: str) -> list[str]:
    found = [getattr(each, action) for each in request.replica_updates or ()]
    return [each.region_name for each in found if each is not None]


def _witness(request: api.UpdateTableInput, action: str) -> str:
    found = [getattr(each, action) for each in request.global_table_witness_updates or ()]
    regions = [each.region_name for each in found if each is not None]
    return regions[0] if regions else ""


def _invalid_group(reason: str) -> AwsError:
    return invalid(f"A global table of multi-Region strong consistency cannot be changed like this. {reason}.")
