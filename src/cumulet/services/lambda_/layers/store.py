"""Every query of layers. A deleted version's package stays for as long as a function version uses it."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import msgspec
from msgspec import Struct

from cumulet.api.lambda_ import ResolvedS3Object
from cumulet.services.lambda_.names import FunctionKey
from cumulet.storage.database import Database, Row, Transaction, Values

_LAYER = "account = $1 AND region = $2 AND name = $3"

SCHEMA = (
    """CREATE TABLE lambda_layer (account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, last BIGINT NOT NULL,
       PRIMARY KEY (account, region, name))""",
    """CREATE TABLE lambda_layer_version (account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL,
       version BIGINT NOT NULL, code TEXT NOT NULL, size BIGINT NOT NULL, document BYTEA NOT NULL,
       PRIMARY KEY (account, region, name, version))""",
    "CREATE INDEX lambda_layer_version_code ON lambda_layer_version (code)",
    """CREATE TABLE lambda_layer_use (account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL,
       version TEXT NOT NULL, code TEXT NOT NULL, PRIMARY KEY (account, region, name, version, code))""",
    "CREATE INDEX lambda_layer_use_code ON lambda_layer_use (code)",
)


class LayerKey(NamedTuple):
    """Which layer: the account and region it lives in, and its name."""

    account: str
    region: str
    name: str

    @property
    def arn(self) -> str:
        """Without a version."""
        return f"arn:aws:lambda:{self.region}:{self.account}:layer:{self.name}"


class LayerVersion(Struct, frozen=True, kw_only=True):
    """A published version. `code` is the id of its package, `size` that of its zip, `unpacked` what it takes in /opt.

    `statements` are those of its policy, `revision` the policy's. Compatible runtimes and architectures are None when
    they were not given, which is not the same as empty. `reference` is the object that it is, when it was not to be copied.
    """

    number: int
    code: str
    size: int
    unpacked: int
    created: str
    description: str = ""
    license: str | None = None
    runtimes: list[str] | None = None
    architectures: list[str] | None = None
    reference: ResolvedS3Object | None = None
    statements: list[dict[str, object]] = []
    revision: str = ""


class Reader(Protocol):
    """A database or a transaction."""

    async def read(self, sql: str, values: Values = ()) -> list[Row]: ...


_decode = msgspec.json.Decoder(LayerVersion).decode


class LayerStore:
    """Layers, their versions, and which function versions use their packages."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def add(self, tx: Transaction, key: LayerKey, version: LayerVersion) -> LayerVersion:
        """Store the version under the layer's next number, which no deleted version had either."""
        [(number,)] = await tx.write(
            """INSERT INTO lambda_layer (account, region, name, last) VALUES ($1, $2, $3, 1)
               ON CONFLICT (account, region, name) DO UPDATE SET last = lambda_layer.last + 1 RETURNING last""",
            key,
        )
        version = msgspec.structs.replace(version, number=int(number))
        size = 0 if version.reference is not None else version.size
        await tx.write(
            """INSERT INTO lambda_layer_version (account, region, name, version, code, size, document)
               VALUES ($1, $2, $3, $4, $5, $6, $7)""",
            (*key, version.number, version.code, size, msgspec.json.encode(version)),
        )
        return version

    async def put(self, tx: Transaction, key: LayerKey, version: LayerVersion) -> None:
        """Replace a version that is there: its policy may change, nothing else does."""
        await tx.write(
            f"UPDATE lambda_layer_version SET document = $5 WHERE {_LAYER} AND version = $4",  # noqa: S608  a constant
            (*key, version.number, msgspec.json.encode(version)),
        )

    async def version(self, key: LayerKey, number: int, within: Reader | None = None) -> LayerVersion | None:
        rows = await (within or self._db).read(
            f"SELECT document FROM lambda_layer_version WHERE {_LAYER} AND version = $4",  # noqa: S608  a constant
            (*key, number),
        )
        return _decode(rows[0][0]) if rows else None

    async def versions(self, key: LayerKey, before: int, limit: int) -> list[LayerVersion]:
        """The newest first, with numbers below `before`."""
        rows = await self._db.read(
            f"""SELECT document FROM lambda_layer_version WHERE {_LAYER} AND version < $4
                ORDER BY version DESC LIMIT $5""",  # noqa: S608  a constant
            (*key, before, limit),
        )
        return [_decode(row[0]) for row in rows]

    async def all_versions(
        self, account: str, region: str, after: tuple[str, int], limit: int
    ) -> list[tuple[str, LayerVersion]]:
        """Of every layer, by name and then the newest first, with the layer's name; those that come behind `after`."""
        rows = await self._db.read(
            """SELECT name, document FROM lambda_layer_version WHERE account = $1 AND region = $2
               AND (name > $3 OR (name = $3 AND version < $4)) ORDER BY name, version DESC LIMIT $5""",
            (account, region, *after, limit),
        )
        return [(name, _decode(document)) for name, document in rows]

    async def delete(self, tx: Transaction, key: LayerKey, number: int) -> list[str]:
        """The packages that were used: one, or none when there was no such version."""
        rows = await tx.write(
            f"DELETE FROM lambda_layer_version WHERE {_LAYER} AND version = $4 RETURNING code",  # noqa: S608  a constant
            (*key, number),
        )
        return [row[0] for row in rows]

    async def use(self, tx: Transaction, key: FunctionKey, version: str, codes: Sequence[str]) -> list[str]:
        """Note which packages a function's version has as layers from now on; gives those it had before."""
        before = await tx.write(
            f"DELETE FROM lambda_layer_use WHERE {_LAYER} AND version = $4 RETURNING code",  # noqa: S608  a constant
            (*key, version),
        )
        for code in sorted(set(codes)):
            await tx.write(
                "INSERT INTO lambda_layer_use (account, region, name, version, code) VALUES ($1, $2, $3, $4, $5)",
                (*key, version, code),
            )
        return [row[0] for row in before]

    async def unuse(self, tx: Transaction, key: FunctionKey) -> list[str]:
        """A function is gone with all its versions; gives the packages they had as layers."""
        rows = await tx.write(f"DELETE FROM lambda_layer_use WHERE {_LAYER} RETURNING code", key)  # noqa: S608  a constant
        return sorted({row[0] for row in rows})
