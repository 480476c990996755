"""Global tables of several accounts: each table is made, and goes, by the account that owns it; settings are one for all.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/V2globaltables_MA_HowItWorks.html
"""

from __future__ import annotations

import msgspec

from cumulet.api import dynamodb as api
from cumulet.kernel.call import Call
from cumulet.kernel.ids import new_id
from cumulet.services.dynamodb import consent, names, policies, replicas, store, tags
from cumulet.services.dynamodb.bulk.model import jobs_of
from cumulet.services.dynamodb.consent import Member
from cumulet.services.dynamodb.consistency import unsupported
from cumulet.services.dynamodb.descriptions import describe
from cumulet.services.dynamodb.encryption import encryption_of
from cumulet.services.dynamodb.errors import in_use, invalid, invalid_values, no_such_table
from cumulet.services.dynamodb.model import ACTIVE, CREATING, CREATION_FAILED, Replica, Table
from cumulet.services.dynamodb.names import Place
from cumulet.services.dynamodb.state import DynamoDb
from cumulet.storage.database import Conflict, Transaction

ENABLED = "ENABLED"


async def create_replica(dynamodb: DynamoDb, call: Call, request: api.CreateTableInput) -> api.CreateTableOutput:
    """CreateTable with a GlobalTableSourceArn: a table that is like another account's, and stays so."""
    _check(request)
    place = names.place(call, request.table_name)
    if place[0] != call.account:  # nobody agrees to anything for others
        raise consent.denied(call.principal, "dynamodb:CreateTable", names.arn(place))
    encryption = await encryption_of(dynamodb, call, place, request.sse_specification)
    role = await consent.role_of(dynamodb.calls, call)
    kept = msgspec.json.encode(tags.checked(request.tags or [])).decode()
    try:
        async with dynamodb.db.transaction() as tx:
            source = await _source(tx, call, request.global_table_source_arn or "")
            if await store.named(tx, *place) is not None:
                raise api.ResourceInUseException(f"Table already exists: {place[2]}")
            members = await policies.members(tx, source)
            consent.check_joining(call.principal, role, members[:1])  # the source's own: nobody else is told how it is
            _check_source(source, place)
            consent.check_joining(call.principal, role, members)
            if source.status != ACTIVE or source.copied or await dynamodb.jobs.any_of(tx, jobs_of(source)):
                raise in_use(source.name)
            policy = request.resource_policy or ""
            consent.check_replication([*members, Member(place[0], names.arn(place), policy)])
            here = Replica(source.region, account=source.account)
            source, made = await replicas.begin(
                dynamodb,
                tx,
                source,
                Replica(place[1], CREATING, account=place[0]),
                here,
                tags=kept,
                table_class=request.table_class or "",
                class_changed=None,
                encryption=encryption,
                protected=bool(request.deletion_protection_enabled),
            )
            await store.save(tx, source)
            await policies.put(tx, made, made.arn, policy, new_id())
            tx.after_commit(lambda: dynamodb.directory.changed(source))
    except Conflict:
        raise api.ResourceInUseException(f"Table already exists: {place[2]}") from None
    return api.CreateTableOutput(
        table_description=describe(made, {}, status=CREATING, warm=False, index_status=CREATING)
    )


def _check(request: api.CreateTableInput) -> None:
    """Raises ValidationException for settings that follow from the source."""
    if request.global_table_settings_replication_mode != ENABLED:
        raise invalid_values(
            "GlobalTableSettingsReplicationMode must be ENABLED when GlobalTableSourceArn is specified"
        )
    given = {
        "AttributeDefinitions": request.attribute_definitions,
        "KeySchema": request.key_schema,
        "LocalSecondaryIndexes": request.local_secondary_indexes,
        "GlobalSecondaryIndexes": request.global_secondary_indexes,
        "VectorIndexes": request.vector_indexes,
        "BillingMode": request.billing_mode,
        "ProvisionedThroughput": request.provisioned_throughput,
        "OnDemandThroughput": request.on_demand_throughput,
        "WarmThroughput": request.warm_throughput,
        "StreamSpecification": request.stream_specification,
    }
    for member, value in given.items():
        if value:
            raise invalid_values(
                f"{member} cannot be specified with GlobalTableSourceArn: it is that of the source table"
            )
    if request.resource_policy:
        policies.check(request.resource_policy)


async def _source(tx: Transaction, call: Call, arn: str) -> Table:
    place = names.place(call, arn)
    if arn != names.arn(place):
        raise invalid_values("GlobalTableSourceArn must be the ARN of a table")
    found = await store.named(tx, *place)
    if found is None:
        raise no_such_table(place[2]) if place[0] == call.account else consent.unseen(call.principal, arn)
    return found


def _check_source(source: Table, place: Place) -> None:
    """Raises ResourceInUseException or ValidationException for a table that another account cannot join from a place."""
    account, region, name = place
    unsupported(source, "Replicas in other accounts are")
    if source.legacy or (source.replicas and not source.accounts):
        raise invalid(
            f"The source table is part of a global table of one account: {source.arn}. "
            "Make it a table of a single Region first."
        )
    if not source.shared:
        raise invalid(f"GlobalTableSettingsReplicationMode of the source table must be ENABLED: {source.arn}")
    if source.name != name:
        raise invalid(f"Replicas of a global table have one name: {source.name}")
    others = [(each.account, each.region) for each in source.replicas if each.status != CREATION_FAILED]
    for taken_account, taken_region in ((source.account, source.region), *others):
        if account == taken_account or region == taken_region:
            raise invalid(
                "Each replica of a multi-account global table must be in an account and a Region of its own: "
                f"there is one of account {taken_account} in {taken_region}"
            )
