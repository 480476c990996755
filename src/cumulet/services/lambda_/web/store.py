"""Every query of web functions. Documents are msgspec's JSON of the model's structs."""
# ruff: noqa: S608  what is put together here are constants of this file

from typing import Protocol

import msgspec
from msgspec.structs import replace

from cumulet.services.lambda_.packages.packages import Package
from cumulet.services.lambda_.web.model import PENDING, Endpoint, Revision, WebFunction
from cumulet.services.lambda_.web.names import WebKey
from cumulet.storage.database import Database, Row, Transaction, Values
from cumulet.storage.seal import Seal

_KEY = "account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL"
_FUNCTION = "account = $1 AND region = $2 AND name = $3"

SCHEMA = (
    f"CREATE TABLE web_function ({_KEY}, document BYTEA NOT NULL, PRIMARY KEY (account, region, name))",
    f"""CREATE TABLE web_revision ({_KEY}, number BIGINT NOT NULL, id TEXT NOT NULL, code TEXT NOT NULL,
        pending BIGINT NOT NULL, document BYTEA NOT NULL, PRIMARY KEY (account, region, name, number))""",
    "CREATE INDEX web_revision_code ON web_revision (code)",
    f"""CREATE TABLE web_endpoint ({_KEY}, endpoint TEXT NOT NULL, id TEXT NOT NULL, document BYTEA NOT NULL,
        PRIMARY KEY (account, region, name, endpoint))""",
    "CREATE UNIQUE INDEX web_endpoint_id ON web_endpoint (id)",
    """CREATE TABLE web_code (id TEXT PRIMARY KEY, blob TEXT NOT NULL, size BIGINT NOT NULL, unpacked BIGINT NOT NULL)""",
)

_functions = msgspec.json.Decoder(WebFunction)
_revisions = msgspec.json.Decoder(Revision)
_endpoints = msgspec.json.Decoder(Endpoint)
_encode = msgspec.json.encode


class Reader(Protocol):
    """A database or a transaction."""

    async def read(self, sql: str, values: Values = ()) -> list[Row]: ...


class WebStore:
    """Functions, their revisions (newest first) and endpoints, packages. Readers take `within`, a transaction that is to see its
    own changes. The variables of a revision with a key of its own are stored under `seal`."""

    def __init__(self, db: Database, seal: Seal) -> None:
        self._db = db
        self._seal = seal

    # Functions

    async def function(self, key: WebKey, within: Reader | None = None) -> WebFunction | None:
        rows = await (within or self._db).read(f"SELECT document FROM web_function WHERE {_FUNCTION}", key)
        return _functions.decode(rows[0][0]) if rows else None

    async def regions_of(self, account: str, name: str, within: Reader) -> list[str]:
        """Where the account has a function of that name."""
        sql = "SELECT region FROM web_function WHERE account = $1 AND name = $2"
        return [row[0] for row in await within.read(sql, (account, name))]

    async def functions(self, account: str, region: str) -> list[tuple[WebKey, WebFunction]]:
        """By name."""
        sql = "SELECT name, document FROM web_function WHERE account = $1 AND region = $2 ORDER BY name"
        rows = await self._db.read(sql, (account, region))
        return [(WebKey(account, region, name), _functions.decode(document)) for name, document in rows]

    async def put_function(self, tx: Transaction, key: WebKey, function: WebFunction) -> None:
        await tx.write(
            """INSERT INTO web_function (account, region, name, document) VALUES ($1, $2, $3, $4)
               ON CONFLICT (account, region, name) DO UPDATE SET document = $4""",
            (*key, _encode(function)),
        )

    async def delete_function(self, tx: Transaction, key: WebKey) -> None:
        """With all that it has."""
        for table in ("web_function", "web_revision", "web_endpoint"):
            await tx.write(f"DELETE FROM {table} WHERE {_FUNCTION}", key)

    # Revisions

    async def revisions(self, key: WebKey, within: Reader | None = None) -> list[Revision]:
        sql = f"SELECT document FROM web_revision WHERE {_FUNCTION} ORDER BY number DESC"
        rows = await (within or self._db).read(sql, key)
        return [self._opened(key, _revisions.decode(row[0])) for row in rows]

    async def add_revision(self, tx: Transaction, key: WebKey, revision: Revision) -> None:
        sql = f"SELECT COALESCE(MAX(number), 0) FROM web_revision WHERE {_FUNCTION}"
        number = (await tx.read(sql, key))[0][0] + 1
        await tx.write(
            """INSERT INTO web_revision (account, region, name, number, id, code, pending, document)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8)""",
            (*key, number, revision.id, revision.code, *self._row(key, revision)),
        )

    async def put_revision(self, tx: Transaction, key: WebKey, revision: Revision) -> None:
        """One that is there already, in another state."""
        sql = f"UPDATE web_revision SET pending = $5, document = $6 WHERE {_FUNCTION} AND id = $4"
        await tx.write(sql, (*key, revision.id, *self._row(key, revision)))

    async def delete_revision(self, tx: Transaction, key: WebKey, id: str) -> None:
        await tx.write(f"DELETE FROM web_revision WHERE {_FUNCTION} AND id = $4", (*key, id))

    async def pending(self) -> list[WebKey]:
        """Functions with revisions that are not ready yet."""
        rows = await self._db.read("SELECT DISTINCT account, region, name FROM web_revision WHERE pending = 1")
        return [WebKey(*row) for row in rows]

    def _row(self, key: WebKey, revision: Revision) -> tuple[int, bytes]:
        variables = revision.service.environment_variables
        if revision.kms_key_arn and variables:
            text = _encode(variables).decode()
            sealed = self._seal.close(text, key.revision(revision.id))
            service = replace(revision.service, environment_variables=None)
            revision = replace(revision, service=service, sealed=sealed)
        return int(revision.state == PENDING), _encode(revision)

    def _opened(self, key: WebKey, revision: Revision) -> Revision:
        if not revision.sealed:
            return revision
        text = self._seal.open(revision.sealed, key.revision(revision.id))
        variables = msgspec.json.decode(text, type=dict[str, str])
        return replace(revision, service=replace(revision.service, environment_variables=variables), sealed="")

    # Endpoints

    async def endpoints(self, key: WebKey, within: Reader | None = None) -> list[Endpoint]:
        """By name."""
        sql = f"SELECT document FROM web_endpoint WHERE {_FUNCTION} ORDER BY endpoint"
        return [_endpoints.decode(row[0]) for row in await (within or self._db).read(sql, key)]

    async def endpoint_by_id(self, id: str) -> tuple[WebKey, Endpoint] | None:
        rows = await self._db.read("SELECT account, region, name, document FROM web_endpoint WHERE id = $1", (id,))
        return (WebKey(*rows[0][:3]), _endpoints.decode(rows[0][3])) if rows else None

    async def put_endpoint(self, tx: Transaction, key: WebKey, endpoint: Endpoint) -> None:
        await tx.write(
            """INSERT INTO web_endpoint (account, region, name, endpoint, id, document) VALUES ($1, $2, $3, $4, $5, $6)
               ON CONFLICT (account, region, name, endpoint) DO UPDATE SET id = $5, document = $6""",
            (*key, endpoint.name, endpoint.id, _encode(endpoint)),
        )

    async def delete_endpoint(self, tx: Transaction, key: WebKey, name: str) -> None:
        await tx.write(f"DELETE FROM web_endpoint WHERE {_FUNCTION} AND endpoint = $4", (*key, name))

    # Packages

    async def packages(self) -> list[Package]:
        rows = await self._db.read("SELECT id, blob, size, unpacked FROM web_code")
        return [_package(row) for row in rows]

    async def package(self, id: str) -> Package | None:
        rows = await self._db.read("SELECT id, blob, size, unpacked FROM web_code WHERE id = $1", (id,))
        return _package(rows[0]) if rows else None

    async def put_package(self, tx: Transaction, package: Package) -> bool:
        """False where the same code is there already, in another blob."""
        sql = """INSERT INTO web_code (id, blob, size, unpacked) VALUES ($1, $2, $3, $4)
                 ON CONFLICT (id) DO NOTHING RETURNING id"""
        return bool(await tx.write(sql, (package.id, package.blob, package.size, package.unpacked)))

    async def drop_unused(self, tx: Transaction) -> list[Package]:
        """Forget the packages that no revision has any more, and give them."""
        sql = """DELETE FROM web_code WHERE id NOT IN (SELECT code FROM web_revision)
                 RETURNING id, blob, size, unpacked"""
        return [_package(row) for row in await tx.write(sql)]


def _package(row: Row) -> Package:
    return Package(id=row[0], blob=row[1], size=row[2], unpacked=row[3])
