"""Tables and their indexes as the service holds them."""

from __future__ import annotations

from functools import cached_property

import msgspec
from msgspec import Struct

from cumulet.kernel.arn import Arn

PROVISIONED, ON_DEMAND = "PROVISIONED", "PAY_PER_REQUEST"
STRONG = "STRONG"
ACTIVE, CREATING, UPDATING, DELETING = "ACTIVE", "CREATING", "UPDATING", "DELETING"
CREATION_FAILED = "CREATION_FAILED"
"""Of a replica alone: the table that it was to be is not there."""
DISABLED = "DISABLED"
MICROSECOND = "MICROSECOND"


class Key(Struct, frozen=True, dict=True):
    """A key: the names of its attributes and their types (S, N or B). `range` is empty where there is none.

    Keys of global indexes may have several attributes for each part: the others, in their order, are in `more_hashes`
    and `more_ranges`.
    """

    hash: str
    hash_kind: str
    range: str = ""
    range_kind: str = ""
    more_hashes: tuple[tuple[str, str], ...] = ()
    more_ranges: tuple[tuple[str, str], ...] = ()

    @cached_property
    def hashes(self) -> tuple[tuple[str, str], ...]:
        """The attributes of the partition key and their types."""
        return ((self.hash, self.hash_kind), *self.more_hashes)

    @cached_property
    def ranges(self) -> tuple[tuple[str, str], ...]:
        """The attributes of the sort key and their types, in the order in which they sort; empty without one."""
        return ((self.range, self.range_kind), *self.more_ranges) if self.range else ()

    @cached_property
    def attributes(self) -> tuple[tuple[str, str], ...]:
        return self.hashes + self.ranges

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple([name for name, _ in self.attributes])


class Throughput(Struct, frozen=True):
    """Capacity units a second, and when they last went up or down. Zeros where the table is paid by request."""

    read: int = 0
    write: int = 0
    increased: float | None = None
    decreased: float | None = None


class Units(Struct, frozen=True):
    """A pair of limits that is kept and shown: warm throughput, or the most of an on-demand table. None is none."""

    read: int | None = None
    write: int | None = None


class Index(Struct, frozen=True, kw_only=True):
    """A secondary index. `id` is what its rows are under. `projection` is ALL, KEYS_ONLY or INCLUDE with `included`."""

    id: int
    name: str
    key: Key
    local: bool
    projection: str
    included: tuple[str, ...] = ()
    status: str = ACTIVE
    throughput: Throughput = Throughput()
    warm: Units | None = None
    on_demand: Units | None = None


class VectorIndex(Struct, frozen=True, kw_only=True):
    """An index of vectors. `id` is what its rows are under; `hash` and `filters` are the search schema's attributes with
    their types, `elements` the same as it was given, `kept` what entries have beside the vector (None: all)."""

    id: int
    name: str
    attribute: str
    dimensions: int
    distance: str
    hash: tuple[str, str] | None = None
    filters: tuple[tuple[str, str], ...] = ()
    elements: tuple[tuple[str, str], ...] = ()
    projection: str
    included: tuple[str, ...] = ()
    kept: frozenset[str] | None = None
    status: str = ACTIVE

    @property
    def names(self) -> tuple[str, ...]:
        """The attributes that need a definition."""
        return tuple([name for name, _ in self.elements])


class StreamSettings(Struct, frozen=True):
    """The table's stream. One that was turned off stays known by its label: `enabled` is False then."""

    view: str
    label: str
    enabled: bool = True


class Destination(Struct, frozen=True):
    """A stream of Kinesis that changes of items go to: its ARN, and how exactly moments are told (empty: in milliseconds)."""

    id: int
    stream: str
    precision: str = ""
    status: str = ACTIVE

    @property
    def active(self) -> bool:
        return self.status == ACTIVE


class Encryption(Struct, frozen=True):
    """Server-side encryption by a key of KMS, kept and shown."""

    key_arn: str


class Restored(Struct, frozen=True):
    """What a table was restored from, and to which moment."""

    source_table: str
    moment: float
    backup: str = ""


class IndexOverride(Struct, frozen=True):
    """What an index reads at most in one region; None where that is as everywhere."""

    name: str
    read: int | None = None
    on_demand: int | None = None


class Override(Struct, frozen=True):
    """Settings that a table has in one region alone: read capacity, most reads on demand, class; None or empty for none."""

    read: int | None = None
    on_demand: int | None = None
    table_class: str = ""
    indexes: tuple[IndexOverride, ...] = ()


class Replica(Struct, frozen=True):
    """A region that holds the same table; `key` is its key of KMS, kept and shown. `account` is whose table it is there;
    empty where that is the same account's."""

    region: str
    status: str = ACTIVE
    key: str = ""
    override: Override | None = None
    account: str = ""


class Table(Struct, frozen=True, kw_only=True, dict=True):
    """A table with all its settings. `id` is what its rows are under, and never comes again; `uuid` is the TableId."""

    id: int
    uuid: str
    account: str
    region: str
    name: str
    created: float
    key: Key
    definitions: tuple[tuple[str, str], ...]
    """Attributes and their types, in the order they were given."""
    indexes: tuple[Index, ...] = ()
    billing: str = PROVISIONED
    billing_shown: bool = False
    """Whether the table was ever paid by request: only then AWS shows how it is."""
    billing_changed: float | None = None
    throughput: Throughput = Throughput()
    on_demand: Units | None = None
    warm: Units | None = None
    table_class: str = ""
    class_changed: float | None = None
    protected: bool = False
    encryption: Encryption | None = None
    stream: StreamSettings | None = None
    ttl: str = ""
    """The attribute that holds when an item expires; empty when none does."""
    ttl_changed: float = 0.0
    recovery: bool = False
    """Whether point-in-time recovery is on."""
    recovery_since: float = 0.0
    recovery_days: int = 35
    held: int = 0
    """How many copies of the table (backups, exports) are being made and need what items were before they changed."""
    restored: Restored | None = None
    status: str = ACTIVE
    replicas: tuple[Replica, ...] = ()
    """The same table in other regions."""
    vectors: tuple[VectorIndex, ...] = ()
    consistency: str = ""
    """STRONG for a global table of strong consistency between regions; empty for any other table."""
    witness: str = ""
    """The region that is its witness; empty without one."""
    guarded: bool = True
    """Whether it must not be taken out of its global table to stand alone."""
    legacy: bool = False
    """Whether its global table is one of 2017."""
    destinations: tuple[Destination, ...] = ()
    shared: bool = False
    """Whether its settings may be those of tables of other accounts, too (GlobalTableSettingsReplicationMode ENABLED)."""

    @cached_property
    def accounts(self) -> bool:
        """Whether its global table is one of several accounts."""
        return any(each.account for each in self.replicas)

    @cached_property
    def copied(self) -> bool:
        """Whether items are being copied to one of its replicas: until then they are needed where they are."""
        return any(each.status == CREATING for each in self.replicas)

    @cached_property
    def arn(self) -> str:
        return str(Arn("dynamodb", self.region, self.account, f"table/{self.name}"))

    @cached_property
    def stream_arn(self) -> str:
        """The ARN of the newest stream; empty when there never was one."""
        return f"{self.arn}/stream/{self.stream.label}" if self.stream else ""

    @cached_property
    def streams(self) -> bool:
        return self.stream is not None and self.stream.enabled

    @cached_property
    def recorded(self) -> bool:
        """Whether changes of items are to be recorded: for a stream of either kind, for recovery, or for replicas."""
        return self.streams or self.remembered or self.sent

    @cached_property
    def sent(self) -> bool:
        """Whether changes of items go to streams of Kinesis."""
        return any(each.active for each in self.destinations)

    @cached_property
    def remembered(self) -> bool:
        """Whether it is kept what items were before they changed."""
        return self.recovery or self.held > 0

    @cached_property
    def local(self) -> bool:
        """Whether it has local indexes, and so item collections."""
        return any(index.local for index in self.indexes)

    @cached_property
    def by_name(self) -> dict[str, Index]:
        return {index.name: index for index in self.indexes}

    @cached_property
    def kinds(self) -> dict[str, str]:
        """The types of the attributes that are keys."""
        return dict(self.definitions)

    @cached_property
    def index_keys(self) -> list[tuple[str, str, str]]:
        """Attributes that are keys of indexes: name, type, index; in the order in which AWS checks them."""
        ordered = [index for index in self.indexes if not index.local] + [i for i in self.indexes if i.local]
        return [
            (name, kind, index.name)
            for index in ordered
            for name, kind in index.key.attributes
            if not (index.local and name == self.key.hash)
        ]

    @cached_property
    def indexed(self) -> bool:
        """Whether indexes of any kind follow from its items."""
        return bool(self.indexes or self.vectors)

    @cached_property
    def every(self) -> tuple[Index | VectorIndex, ...]:
        """Its indexes of all kinds."""
        return (*self.indexes, *self.vectors)

    @cached_property
    def defined(self) -> set[str]:
        """The attributes that need a definition: those of its key and its indexes."""
        keys = (self.key, *(index.key for index in self.indexes))
        return {
            name for names in (*(key.names for key in keys), *(each.names for each in self.vectors)) for name in names
        }

    @cached_property
    def several(self) -> list[tuple[tuple[str, ...], bool]]:
        """The parts of index keys that have several attributes, whose sizes count together: the attributes, and whether they
        are a partition key."""
        parts = [(index.key.hashes, True) for index in self.indexes]
        parts += [(index.key.ranges, False) for index in self.indexes]
        return [(tuple([name for name, _ in part]), hashed) for part, hashed in parts if len(part) > 1]

    @cached_property
    def kept(self) -> dict[str, frozenset[str] | None]:
        """By index, the attributes that its items have; None for all."""
        return {index.name: _kept(self, index) for index in self.indexes}

    def index_arn(self, index: Index | VectorIndex) -> str:
        return f"{self.arn}/index/{index.name}"


def _kept(table: Table, index: Index) -> frozenset[str] | None:
    if index.projection == "ALL":
        return None
    return frozenset((*table.key.names, *index.key.names, *index.included))


encode_table = msgspec.json.Encoder().encode
decode_table = msgspec.json.Decoder(Table).decode
