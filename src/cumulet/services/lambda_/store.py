"""Every query of Lambda but those of its event queue. Documents are msgspec's JSON of the model's structs."""
# ruff: noqa: S608  what is put together here are constants of this file

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import msgspec
from msgspec.structs import replace

from cumulet.api.lambda_ import EnvironmentResponse
from cumulet.services.lambda_.model import Alias, Function, Version
from cumulet.services.lambda_.names import LATEST, LATEST_PUBLISHED, FunctionKey
from cumulet.services.lambda_.packages.packages import Package
from cumulet.storage.database import Database, Row, Transaction, Values
from cumulet.storage.seal import Seal

_KEY = "account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL"
_FUNCTION = "account = $1 AND region = $2 AND name = $3"

SCHEMA = (
    f"CREATE TABLE lambda_function ({_KEY}, document BYTEA NOT NULL, PRIMARY KEY (account, region, name))",
    f"""CREATE TABLE lambda_version ({_KEY}, version TEXT NOT NULL, number BIGINT NOT NULL,
        deployment TEXT NOT NULL, code TEXT NOT NULL,
        size BIGINT NOT NULL, pending BIGINT NOT NULL, document BYTEA NOT NULL,
        PRIMARY KEY (account, region, name, version))""",
    "CREATE INDEX lambda_version_code ON lambda_version (code)",
    "CREATE TABLE lambda_code (id TEXT PRIMARY KEY, blob TEXT NOT NULL, size BIGINT NOT NULL)",
    f"""CREATE TABLE lambda_alias ({_KEY}, alias TEXT NOT NULL, version TEXT NOT NULL, document BYTEA NOT NULL,
        PRIMARY KEY (account, region, name, alias))""",
    f"""CREATE TABLE lambda_setting ({_KEY}, kind TEXT NOT NULL, qualifier TEXT NOT NULL, document BYTEA NOT NULL,
        PRIMARY KEY (account, region, name, kind, qualifier))""",
    "ALTER TABLE lambda_code ADD COLUMN unpacked BIGINT NOT NULL DEFAULT 0",
)

_UNNUMBERED = {LATEST: 0, LATEST_PUBLISHED: -1}

_PACKAGE = "id, blob, size, unpacked"

_functions = msgspec.json.Decoder(Function)
_versions = msgspec.json.Decoder(Version)
_aliases = msgspec.json.Decoder(Alias)
_encode = msgspec.json.encode


class Reader(Protocol):
    """A database or a transaction."""

    async def read(self, sql: str, values: Values = ()) -> list[Row]: ...


class Deleted(NamedTuple):
    """The deployments of versions that are gone, and the ids of the packages they used."""

    deployments: list[str]
    packages: list[str]


class FunctionStore:
    """Functions, versions, aliases, packages, and settings by kind and qualifier (policies, event invoke configurations).

    Readers take `within`, a transaction that is to see its own changes. The environment of a version with a KMSKeyArn is
    stored under `seal`: others are as readable as the data folder, since the cipher would cost every node 10 MB.
    """

    def __init__(self, db: Database, seal: Seal) -> None:
        self._db = db
        self._seal = seal

    async def _read(self, within: Reader | None, sql: str, values: Values) -> list[Row]:
        return await (within or self._db).read(sql, values)

    # Functions

    async def function(self, key: FunctionKey, within: Reader | None = None) -> Function | None:
        rows = await self._read(within, f"SELECT document FROM lambda_function WHERE {_FUNCTION}", key)
        return _functions.decode(rows[0][0]) if rows else None

    async def put_function(self, tx: Transaction, key: FunctionKey, function: Function) -> None:
        await tx.write(
            """INSERT INTO lambda_function (account, region, name, document) VALUES ($1, $2, $3, $4)
               ON CONFLICT (account, region, name) DO UPDATE SET document = $4""",
            (*key, _encode(function)),
        )

    async def delete_function(self, tx: Transaction, key: FunctionKey) -> Deleted:
        """Everything of a function."""
        rows = await tx.write(f"DELETE FROM lambda_version WHERE {_FUNCTION} RETURNING deployment, code", key)
        for table in ("lambda_function", "lambda_alias", "lambda_setting"):
            await tx.write(f"DELETE FROM {table} WHERE {_FUNCTION}", key)
        return _deleted(rows)

    async def reserved(self, account: str, region: str, within: Reader | None = None) -> dict[str, int]:
        """Reserved concurrency by function name."""
        sql = "SELECT name, document FROM lambda_function WHERE account = $1 AND region = $2"
        found = {
            name: _functions.decode(document).reserved
            for name, document in await self._read(within, sql, (account, region))
        }
        return {name: reserved for name, reserved in found.items() if reserved is not None}

    # Versions

    async def version(self, key: FunctionKey, version: str, within: Reader | None = None) -> Version | None:
        sql = f"SELECT document FROM lambda_version WHERE {_FUNCTION} AND version = $4"
        rows = await self._read(within, sql, (*key, version))
        return self._opened(key, rows[0][0]) if rows else None

    async def put_version(self, tx: Transaction, key: FunctionKey, version: Version) -> None:
        number = _UNNUMBERED.get(version.number)
        number = int(version.number) if number is None else number
        await tx.write(
            """INSERT INTO lambda_version (account, region, name, version, number, deployment, code, size, pending, document)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (account, region, name, version)
               DO UPDATE SET deployment = $6, code = $7, size = $8, pending = $9, document = $10""",
            (
                *key,
                version.number,
                number,
                version.deployment,
                version.code,
                0 if version.reference is not None else version.configuration.code_size or 0,
                int(version.pending),
                self._closed(key, version),
            ),
        )

    async def delete_version(self, tx: Transaction, key: FunctionKey, version: str) -> Deleted:
        """Gives nothing when there is no such version."""
        sql = f"DELETE FROM lambda_version WHERE {_FUNCTION} AND version = $4 RETURNING deployment, code"
        rows = await tx.write(sql, (*key, version))
        await tx.write(f"DELETE FROM lambda_setting WHERE {_FUNCTION} AND qualifier = $4", (*key, version))
        return _deleted(rows)

    async def last_published(self, key: FunctionKey, within: Reader | None = None) -> Version | None:
        sql = f"SELECT document FROM lambda_version WHERE {_FUNCTION} AND number > 0 ORDER BY number DESC LIMIT 1"
        rows = await self._read(within, sql, key)
        return self._opened(key, rows[0][0]) if rows else None

    async def versions(self, key: FunctionKey, after: int, limit: int, within: Reader | None = None) -> list[Version]:
        """In order of their numbers, $LATEST (number 0) first."""
        sql = f"SELECT document FROM lambda_version WHERE {_FUNCTION} AND number > $4 ORDER BY number LIMIT $5"
        return [self._opened(key, row[0]) for row in await self._read(within, sql, (*key, after, limit))]

    async def all_versions(
        self, account: str, region: str, after: tuple[str, int], limit: int
    ) -> list[tuple[str, Version]]:
        """Every version of every function, by name and number, with the function's name."""
        sql = """SELECT name, document FROM lambda_version WHERE account = $1 AND region = $2
                 AND (name > $3 OR (name = $3 AND number > $4)) ORDER BY name, number LIMIT $5"""
        rows = await self._db.read(sql, (account, region, *after, limit))
        return [(name, self._opened(FunctionKey(account, region, name), document)) for name, document in rows]

    async def latest_versions(self, account: str, region: str, after: str, limit: int) -> list[tuple[str, Version]]:
        """$LATEST of every function, by name."""
        sql = """SELECT name, document FROM lambda_version WHERE account = $1 AND region = $2
                 AND name > $3 AND number = 0 ORDER BY name LIMIT $4"""
        rows = await self._db.read(sql, (account, region, after, limit))
        return [(name, self._opened(FunctionKey(account, region, name), document)) for name, document in rows]

    async def pending(self) -> list[FunctionKey]:
        """Functions with a version whose change a crash interrupted."""
        rows = await self._db.read("SELECT DISTINCT account, region, name FROM lambda_version WHERE pending = 1")
        return [FunctionKey(*row) for row in rows]

    async def pending_versions(self, key: FunctionKey, within: Reader) -> list[Version]:
        sql = f"SELECT document FROM lambda_version WHERE {_FUNCTION} AND pending = 1"
        return [self._opened(key, row[0]) for row in await within.read(sql, key)]

    async def usage(self, account: str, region: str) -> tuple[int, int]:
        """Functions, and bytes of code of all their versions and of those of layers."""
        sql = """SELECT COUNT(DISTINCT name), COALESCE(SUM(size), 0) + (SELECT COALESCE(SUM(size), 0)
                 FROM lambda_layer_version WHERE account = $1 AND region = $2)
                 FROM lambda_version WHERE account = $1 AND region = $2"""
        [(functions, size)] = await self._db.read(sql, (account, region))
        return int(functions), int(size)

    def _closed(self, key: FunctionKey, version: Version) -> bytes:
        configuration = version.configuration
        if configuration.kms_key_arn is None or configuration.environment is None:
            return _encode(version)
        sealed = self._seal.close(_encode(configuration.environment).decode(), f"{key.arn}:{version.number}")
        return _encode(replace(version.changed(environment=None), sealed=sealed))

    def _opened(self, key: FunctionKey, document: bytes) -> Version:
        version = _versions.decode(document)
        if not version.sealed:
            return version
        environment = self._seal.open(version.sealed, f"{key.arn}:{version.number}")
        opened = msgspec.json.decode(environment, type=EnvironmentResponse)
        return replace(version.changed(environment=opened), sealed="")

    # Packages

    async def package(self, id: str, within: Reader | None = None) -> Package | None:
        rows = await self._read(within, f"SELECT {_PACKAGE} FROM lambda_code WHERE id = $1", (id,))
        return _package(rows[0]) if rows else None

    async def packages(self) -> list[Package]:
        rows = await self._db.read(f"SELECT {_PACKAGE} FROM lambda_code")
        return [_package(row) for row in rows]

    async def put_package(self, tx: Transaction, package: Package) -> None:
        """Nothing changes when the same code is there already."""
        await tx.write(
            f"INSERT INTO lambda_code ({_PACKAGE}) VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO NOTHING",
            (package.id, package.blob, package.size, package.unpacked),
        )

    async def drop_unused(self, tx: Transaction, packages: Sequence[str]) -> list[Package]:
        """Forget those of the packages that neither a version of a function nor one of a layer uses any more."""
        dropped = []
        for id in packages:
            rows = await tx.write(
                f"""DELETE FROM lambda_code WHERE id = $1
                    AND NOT EXISTS (SELECT 1 FROM lambda_version WHERE code = $1)
                    AND NOT EXISTS (SELECT 1 FROM lambda_layer_version WHERE code = $1)
                    AND NOT EXISTS (SELECT 1 FROM lambda_layer_use WHERE code = $1) RETURNING {_PACKAGE}""",
                (id,),
            )
            dropped += [_package(row) for row in rows]
        return dropped

    # Aliases

    async def alias(self, key: FunctionKey, alias: str, within: Reader | None = None) -> Alias | None:
        sql = f"SELECT document FROM lambda_alias WHERE {_FUNCTION} AND alias = $4"
        rows = await self._read(within, sql, (*key, alias))
        return _aliases.decode(rows[0][0]) if rows else None

    async def put_alias(self, tx: Transaction, key: FunctionKey, alias: Alias) -> None:
        await tx.write(
            """INSERT INTO lambda_alias (account, region, name, alias, version, document)
               VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (account, region, name, alias)
               DO UPDATE SET version = $5, document = $6""",
            (*key, alias.name, alias.version, _encode(alias)),
        )

    async def delete_alias(self, tx: Transaction, key: FunctionKey, alias: str) -> None:
        await tx.write(f"DELETE FROM lambda_alias WHERE {_FUNCTION} AND alias = $4", (*key, alias))
        await tx.write(f"DELETE FROM lambda_setting WHERE {_FUNCTION} AND qualifier = $4", (*key, alias))

    async def aliases(
        self, key: FunctionKey, after: str = "", limit: int = 10_000, within: Reader | None = None
    ) -> list[Alias]:
        """By name."""
        sql = f"SELECT document FROM lambda_alias WHERE {_FUNCTION} AND alias > $4 ORDER BY alias LIMIT $5"
        return [_aliases.decode(row[0]) for row in await self._read(within, sql, (*key, after, limit))]

    # Settings

    async def setting(self, kind: str, key: FunctionKey, qualifier: str, within: Reader | None = None) -> bytes | None:
        sql = f"SELECT document FROM lambda_setting WHERE {_FUNCTION} AND kind = $4 AND qualifier = $5"
        rows = await self._read(within, sql, (*key, kind, qualifier))
        return rows[0][0] if rows else None

    async def settings(
        self, kind: str, key: FunctionKey, after: str, limit: int, within: Reader | None = None
    ) -> list[tuple[str, bytes]]:
        """Qualifiers with their documents, by qualifier."""
        sql = f"""SELECT qualifier, document FROM lambda_setting WHERE {_FUNCTION} AND kind = $4 AND qualifier > $5
                  ORDER BY qualifier LIMIT $6"""
        return [(row[0], row[1]) for row in await self._read(within, sql, (*key, kind, after, limit))]

    async def keys_with_setting(self, kind: str) -> list[FunctionKey]:
        """Functions that have a setting of this kind, in all accounts."""
        rows = await self._db.read("SELECT DISTINCT account, region, name FROM lambda_setting WHERE kind = $1", (kind,))
        return [FunctionKey(*row) for row in rows]

    async def settings_of_account(self, kind: str, account: str, region: str) -> list[tuple[str, bytes]]:
        """Names of functions with a document of this kind; a name comes as often as it has one."""
        sql = "SELECT name, document FROM lambda_setting WHERE account = $1 AND region = $2 AND kind = $3"
        return [(row[0], row[1]) for row in await self._db.read(sql, (account, region, kind))]

    async def put_setting(self, tx: Transaction, kind: str, key: FunctionKey, qualifier: str, document: bytes) -> None:
        await tx.write(
            """INSERT INTO lambda_setting (account, region, name, kind, qualifier, document)
               VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (account, region, name, kind, qualifier)
               DO UPDATE SET document = $6""",
            (*key, kind, qualifier, document),
        )

    async def delete_setting(self, tx: Transaction, kind: str, key: FunctionKey, qualifier: str) -> bool:
        sql = f"DELETE FROM lambda_setting WHERE {_FUNCTION} AND kind = $4 AND qualifier = $5 RETURNING kind"
        return bool(await tx.write(sql, (*key, kind, qualifier)))


def _deleted(rows: list[Row]) -> Deleted:
    return Deleted([row[0] for row in rows], sorted({row[1] for row in rows}))


def _package(row: Row) -> Package:
    return Package(id=row[0], blob=row[1], size=row[2], unpacked=row[3])
