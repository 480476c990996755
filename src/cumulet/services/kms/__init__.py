"""AWS Key Management Service: keys that are used here and never leave."""

from collections.abc import Callable

from msgspec import Struct

from cumulet.api.kms import OPERATIONS
from cumulet.kernel.arn import Arn
from cumulet.kernel.call import Call
from cumulet.kernel.clock import Clock
from cumulet.kernel.service import Service, operations_in
from cumulet.kernel.tasks import Tasks
from cumulet.services.kms import (
    agreements,
    aliases,
    data_keys,
    encrypting,
    grants,
    importing,
    keys,
    policies,
    replicas,
    rotation,
    signing,
    tags,
)
from cumulet.services.kms.aliases_store import AliasStore
from cumulet.services.kms.condition_keys import keys_of
from cumulet.services.kms.grants_store import GrantStore
from cumulet.services.kms.managed import Managed
from cumulet.services.kms.names import Name
from cumulet.services.kms.state import Kms
from cumulet.services.kms.store import SCHEMA, KeyStore
from cumulet.services.kms.vault import Vault
from cumulet.services.kms.workers import Keeper
from cumulet.storage.database import Database
from cumulet.storage.seal import Seal


def build(*, db: Database, clock: Clock, tasks: Tasks, secret: bytes) -> Service:
    """The service on a database of its own. `secret` is the node's key, which seals all material at rest."""
    store, names = KeyStore(db), AliasStore(db)
    vault = Vault(store, secret)
    keeper = Keeper(store, vault, clock)
    kms = Kms(
        keys=store,
        aliases=names,
        grants=GrantStore(db),
        vault=vault,
        managed=Managed(store, names, vault, clock, keeper.wake),
        keeper=keeper,
        clock=clock,
        tokens=Seal(secret, "kms import"),
    )

    async def start() -> None:
        await db.migrate("kms", SCHEMA)
        tasks.start("kms keeper", kms.keeper.work())

    async def resource_policy(call: Call, arn: str) -> str | None:
        account, region, resource = _split(arn)
        key_id = resource.removeprefix("key/")
        policy = await store.policy(account, region, key_id)
        if policy is None:  # who may ask is told that there is no such key
            return policies.default(account or call.account)
        return policies.with_grants(policy, await kms.grants.of_key(account, region, key_id))

    async def condition_keys(call: Call, arn: str, request: Struct) -> Callable[[str], tuple[str, ...] | None]:
        return await keys_of(kms, call, arn, request)

    modules = (
        keys,
        aliases,
        grants,
        policies,
        tags,
        encrypting,
        data_keys,
        signing,
        agreements,
        rotation,
        importing,
        replicas,
    )
    return Service(
        "kms",
        kms,
        operations_in(OPERATIONS, *modules),
        start,
        resource_policy=resource_policy,
        condition_keys=condition_keys,
    )


async def key_of_alias(service: Service, arn: str) -> str | None:
    """The ARN of the key that an alias's ARN means; None for what is no alias, or means none."""
    account, region, resource = _split(arn)
    if not resource.startswith("alias/"):
        return None
    kms = service.state
    assert isinstance(kms, Kms)
    name = Name(account, region, "", resource)
    target = await kms.aliases.target(name) or await kms.managed.make(name)
    return f"arn:aws:kms:{region}:{account}:key/{target}" if target else None


def _split(arn: str) -> tuple[str, str, str]:
    try:
        parsed = Arn.parse(arn)
    except ValueError:
        return "", "", ""
    return parsed.account, parsed.region, parsed.resource
