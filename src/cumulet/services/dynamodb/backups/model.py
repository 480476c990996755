"""What a backup is."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from cumulet.kernel.ids import digits
from cumulet.services.dynamodb.model import Table

CREATING, AVAILABLE = "CREATING", "AVAILABLE"
USER, SYSTEM = "USER", "SYSTEM"


class Backup(Struct, frozen=True, kw_only=True):
    """A copy of a table's items, with the table as it was. `id` is what its rows are under; sizes are known at its end."""

    id: int
    arn: str
    name: str
    table: Table
    created: float
    status: str = CREATING
    items: int = 0
    size: int = 0
    kind: str = USER
    expires: float = 0.0
    """When it goes by itself; 0 for never."""

    @property
    def shown_expiry(self) -> float | None:
        return self.expires or None


encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(Backup).decode


def backup_arn(table: Table, now: float) -> str:
    return f"{table.arn}/backup/{int(now * 1000):014d}-{digits(8)}"
