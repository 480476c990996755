"""What the gateway remembers of access keys."""

import asyncio
from pathlib import Path

from cumulet.kernel.credentials import Credential
from cumulet.services.iam.keys import Keys
from cumulet.services.iam.store import IamStore, Key
from cumulet.storage.seal import Seal
from cumulet.storage.sqlite import SqliteDatabase

ACCOUNT = "111122223333"


class Interrupted(Seal):
    """Its first secret is opened at the very moment at which the key is deleted."""

    keys: Keys | None = None

    def open(self, sealed: str, name: str) -> str:
        if self.keys is not None:
            self.keys.forget(ACCOUNT)
            self.keys = None
        return super().open(sealed, name)


def test_a_key_that_is_deleted_while_it_is_found_is_not_remembered(tmp_path: Path) -> None:
    async def find() -> list[Credential | None]:
        db = SqliteDatabase(tmp_path / "db")
        store, seal = IamStore(db, lambda account: None), Interrupted(b"k" * 32, "iam")
        await store.migrate()
        async with store.change(ACCOUNT) as change:
            await change.add_key(Key("AKIA1", ACCOUNT, ACCOUNT, seal.close("secret", "AKIA1"), "Active", 1))
        seal.keys = keys = Keys(store, seal, lambda: 0.0)
        found = []
        for _ in range(2):
            assert await keys.find("AKIA1", None) is not None
            found.append(keys.remembered("AKIA1", None))
        await db.close()
        return found

    first, second = asyncio.run(find())
    assert first is None
    assert second is not None
