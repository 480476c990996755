"""What the operations of IAM share."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Generic

from msgspec import Struct

from cumulet.kernel.call import Call
from cumulet.kernel.clock import Clock
from cumulet.kernel.ids import unique_id
from cumulet.services.iam.catalogue import Catalogue
from cumulet.services.iam.identities import Identities
from cumulet.services.iam.keys import Keys
from cumulet.services.iam.model import (
    MAX_ITEMS,
    Entity,
    Named,
    Policy,
    account_in,
    invalid,
    make_marker,
    not_found,
    policy_arn,
    read_marker,
)
from cumulet.services.iam.store import Change, IamStore, View
from cumulet.services.iam.uses import Uses
from cumulet.storage.seal import Seal


class Page(Struct, Generic[Named], frozen=True):
    """Some entities in the order of their names; `marker` is None on the last page."""

    items: list[Named]
    marker: str | None

    @property
    def truncated(self) -> bool:
        return self.marker is not None


class Iam(Struct, frozen=True):
    store: IamStore
    seal: Seal
    clock: Clock
    catalogue: Catalogue
    identities: Identities
    keys: Keys
    uses: Uses

    def now(self) -> int:
        """IAM's dates have whole seconds."""
        return int(self.clock.now())

    def view(self, call: Call) -> View:
        return self.store.view(call.account)

    def change(self, call: Call) -> AbstractAsyncContextManager[Change]:
        return self.store.change(call.account)

    @asynccontextmanager
    async def edit(self, call: Call, kind: type[Named], name: str) -> AsyncIterator[Named]:
        """Change one entity in place: it is written back when the block ends. Raises NoSuchEntity."""
        async with self.store.change(call.account) as change:
            entity = await change.get(kind, name)
            yield entity
            await change.put(entity)

    async def policy(self, view: View, arn: str) -> Policy:
        """A managed policy, the account's or AWS's. Raises ValidationError, NoSuchEntity."""
        name = policy_arn(arn)
        if account_in(arn) == "aws":
            found = self.catalogue.get(arn)
        else:
            found = await view.find(Policy, name)
            if found is not None and found.arn(view.account) != arn:
                found = None
        if found is None:
            raise not_found(Policy, arn)
        return found

    async def page(
        self, view: View, kind: type[Named], prefix: str | None, marker: str | None, limit: int | None
    ) -> Page[Named]:
        size = limit or MAX_ITEMS
        after = read_marker(marker) if marker is not None else ""
        found = await view.entities(kind, prefix or "/", after, size + 1)
        return Page(found[:size], make_marker(found[size - 1].name) if len(found) > size else None)


def caller_name(call: Call) -> str:
    """The user who asks, for operations that act on the caller when no name is given. Raises ValidationError."""
    if call.principal.kind == "user":
        return call.principal.arn.rpartition("/")[2]
    raise invalid("Must specify userName when calling with non-User credentials")


def new_unique_id(kind: type[Entity]) -> str:
    return unique_id(kind.prefix)
