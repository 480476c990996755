"""AWS Identity and Access Management: users, groups, roles, their policies and keys. One for each account, in no region."""

from cumulet.api.iam import OPERATIONS
from cumulet.kernel.clock import Clock
from cumulet.kernel.service import Service, operations_in
from cumulet.kernel.tasks import Tasks
from cumulet.services.iam import (
    access_keys,
    account,
    attachments,
    boundaries,
    details,
    groups,
    inline,
    instance_profiles,
    login_profiles,
    none,
    policies,
    providers,
    report,
    roles,
    service_credentials,
    service_roles,
    simulate,
    ssh_keys,
    tags,
    users,
    workers,
)
from cumulet.services.iam.catalogue import Catalogue
from cumulet.services.iam.identities import Identities
from cumulet.services.iam.keys import Keys
from cumulet.services.iam.model import Entity, Group, InstanceProfile, Role, User
from cumulet.services.iam.state import Iam
from cumulet.services.iam.store import IamStore
from cumulet.services.iam.uses import Uses
from cumulet.storage.database import Database
from cumulet.storage.seal import Seal
from cumulet.storage.signals import Signals

_CHANGED = "iam:changed"


def build(*, db: Database, signals: Signals, clock: Clock, tasks: Tasks, secret: bytes) -> Service:
    """The service; its `state` is what `keyring`, `identities` and `role_facts` take. `secret` is the node's key."""
    store = IamStore(db, lambda account: signals.publish(_CHANGED, account.encode()))
    catalogue = Catalogue()
    identities = Identities(store, catalogue, clock.now)
    seal = Seal(secret, "iam")
    keys = Keys(store, seal, clock.now)

    def changed(payload: bytes) -> None:
        identities.forget(payload.decode())
        keys.forget(payload.decode())

    signals.subscribe(_CHANGED, changed)
    uses = Uses(store, clock.now)
    iam = Iam(store, seal, clock, catalogue, identities, keys, uses)

    async def start() -> None:
        await store.migrate()
        tasks.start("iam key uses", workers.write_uses(uses, clock))

    operations = operations_in(
        OPERATIONS,
        access_keys,
        account,
        attachments,
        boundaries,
        details,
        groups,
        inline,
        instance_profiles,
        login_profiles,
        none,
        policies,
        providers,
        report,
        roles,
        service_credentials,
        service_roles,
        simulate,
        ssh_keys,
        tags,
        users,
    )
    return Service("iam", iam, operations, start, uses.write)


def keyring(service: Service) -> Keys:
    """The keyring of users' access keys, for the gateway."""
    return _state(service).keys


def uses(service: Service) -> Uses:
    """Who notes that keys and roles are used, for authorization."""
    return _state(service).uses


def identities(service: Service) -> Identities:
    """What policies principals have, for authorization."""
    return _state(service).identities


async def find_role(service: Service, arn: str) -> Role | None:
    """A role by its ARN, for STS."""
    parts = arn.split(":", 5)
    if len(parts) != 6:
        return None
    role = await _state(service).store.view(parts[4]).find(Role, arn.rpartition("/")[2])
    return role if role is not None and role.arn(parts[4]).partition("::")[2] == arn.partition("::")[2] else None


async def full_arn(service: Service, arn: str) -> str | None:
    """The ARN of the thing that an ARN without its path names; None when there is no such thing."""
    parts = arn.split(":", 5)
    kind = _WITH_PATH.get(parts[-1].partition("/")[0])
    if len(parts) != 6 or kind is None:
        return None
    found: Entity | None = await _state(service).store.view(parts[4]).find(kind, arn.rpartition("/")[2])
    return None if found is None else found.arn(parts[4])


_WITH_PATH: dict[str, type[Entity]] = {kind.kind: kind for kind in (User, Group, Role, InstanceProfile)}


def _state(service: Service) -> Iam:
    assert isinstance(service.state, Iam)
    return service.state
