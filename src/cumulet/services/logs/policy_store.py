"""Every query of CloudWatch Logs on resource policies."""

from msgspec import Struct

from cumulet.storage.database import Database, Transaction

_KNOWN = 1000


class Policy(Struct, frozen=True):
    """A resource policy of an account in a region; `updated` in milliseconds since 1970."""

    name: str
    document: str
    updated: int


class PolicyStore:
    """Resource policies by account and region."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._known: dict[tuple[str, str], list[Policy]] = {}
        self._changes = 0

    async def known(self, account: str, region: str) -> list[Policy]:
        """All of them, which every call of a function's log asks for: from memory as long as none changes."""
        found = self._known.get((account, region))
        if found is None:
            changes = self._changes
            found = await self.of(account, region)
            if changes == self._changes:  # or it may be what was there before
                if len(self._known) >= _KNOWN:
                    self._known.clear()
                self._known[account, region] = found
        return found

    async def of(self, account: str, region: str, after: str = "") -> list[Policy]:
        rows = await self._db.read(
            """SELECT name, document, updated FROM logs_policy
               WHERE account = $1 AND region = $2 AND name > $3 ORDER BY name""",
            (account, region, after),
        )
        return [Policy(*row) for row in rows]

    async def put(self, account: str, region: str, policy: Policy, most: int) -> bool:
        """Add or replace; False when there are `most` others already."""
        async with self._db.transaction() as tx:
            [(others,)] = await tx.read(
                "SELECT count(*) FROM logs_policy WHERE account = $1 AND region = $2 AND name <> $3",
                (account, region, policy.name),
            )
            if others >= most:
                return False
            await tx.write(
                """INSERT INTO logs_policy (account, region, name, document, updated) VALUES ($1, $2, $3, $4, $5)
                   ON CONFLICT (account, region, name) DO UPDATE SET document = $4, updated = $5""",
                (account, region, policy.name, policy.document, policy.updated),
            )
            self._changes_with(tx, account, region)
        return True

    async def remove(self, account: str, region: str, name: str) -> bool:
        """False when there is none of that name."""
        async with self._db.transaction() as tx:
            gone = await tx.write(
                "DELETE FROM logs_policy WHERE account = $1 AND region = $2 AND name = $3 RETURNING name",
                (account, region, name),
            )
            self._changes_with(tx, account, region)
        return bool(gone)

    def _changes_with(self, tx: Transaction, account: str, region: str) -> None:
        """Forget them once the change is made, even if whoever asked for it is gone by then."""

        def changed() -> None:
            self._changes += 1
            self._known.pop((account, region), None)

        tx.after_commit(changed)
