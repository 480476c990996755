"""Buckets, object versions and uploads, and the rules about them that need no store."""

import hashlib
import re
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import Struct

from cumulet.kernel.ids import token

INLINE = 65_536
"""Objects and parts up to this many bytes live in their row, larger ones in a blob. Unit: bytes."""
LARGEST_PUT = 5 * 1024**3
SMALLEST_PART = 5 * 1024**2
MOST_PARTS = 10_000
LONGEST_KEY = 1024
NULL = "null"
ENABLED = "Enabled"
SUSPENDED = "Suspended"

_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_ADDRESS = re.compile(r"\d{1,3}(\.\d{1,3}){3}")
_VERSION = re.compile(r"[A-Za-z0-9._]{32}")
_ACCOUNT = re.compile(r"\d{12}")


class Facts(Struct, omit_defaults=True):
    """What an object version has besides what listings show. `headers` holds system metadata by attribute name."""

    headers: dict[str, str] = {}
    expires: float | None = None
    metadata: dict[str, str] = {}
    checksum: str = ""
    tags: dict[str, str] = {}
    grants: list[Any] | None = None
    encryption: str = "AES256"
    kms_key: str = ""
    kms_data_key: str = ""
    kms_context: dict[str, str] = {}
    bucket_key: bool = False
    customer_key_md5: str = ""
    customer_nonce: str = ""
    lock_mode: str = ""
    retain_until: float | None = None
    legal_hold: str = ""
    restore: str = ""
    parts: int = 0


class Stored(Struct):
    """One version of an object, or a delete marker. `order` is microseconds since 1970, growing with each version.

    `upload` is set on objects that came by multipart upload: their bytes are its parts. `etag` has no quotes.
    """

    bucket: int
    key: str
    order: int
    version: str
    marker: int
    size: int
    etag: str
    modified: float
    storage_class: str
    algorithm: str
    checksum_type: str
    upload: str
    blob: str
    facts: bytes

    def details(self) -> Facts:
        """The decoded `facts`."""
        return _decode_facts(self.facts)


class Upload(Struct):
    """A multipart upload under way. `disturbed` tells that its key was deleted since it began."""

    id: str
    bucket: int
    key: str
    order: int
    initiated: float
    storage_class: str
    algorithm: str
    checksum_type: str
    disturbed: int
    facts: bytes

    def details(self) -> Facts:
        """The facts that the finished object will have."""
        return _decode_facts(self.facts)


class Part(Struct):
    """One part of an upload, or of the object it became; `start` is its offset in that object, in bytes."""

    number: int
    start: int
    size: int
    etag: str
    algorithm: str
    checksum: str
    modified: float
    blob: str
    nonce: str = ""


class Bucket(Struct):
    """A bucket and its configuration, as cached. `settings` maps (kind, id) to the JSON of the AWS structure."""

    id: int
    name: str
    account: str
    region: str
    created: float
    versioning: str
    settings: dict[tuple[str, str], bytes]
    memo: dict[str, Any] = {}

    @property
    def arn(self) -> str:
        return f"arn:aws:s3:::{self.name}"

    def setting(self, kind: str, type_: type[Struct], id: str = "") -> Any:
        """The configuration of that kind, decoded once, or None when the bucket has none."""
        memo = f"{kind} {id}"
        if memo not in self.memo:
            raw = self.settings.get((kind, id))
            self.memo[memo] = None if raw is None else msgspec.json.decode(raw, type=type_, strict=False)
        return self.memo[memo]


_facts_decoder = msgspec.json.Decoder(Facts)


def _decode_facts(data: bytes) -> Facts:
    return _facts_decoder.decode(data) if data else Facts()


def is_bucket_name(name: str) -> bool:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html"""
    if not _NAME.fullmatch(name) or ".." in name or _ADDRESS.fullmatch(name):
        return False
    return not name.startswith(("xn--", "sthree-", "amzn-s3-demo-")) and not name.endswith(("-s3alias", "--ol-s3"))


def is_account_id(text: str) -> bool:
    return _ACCOUNT.fullmatch(text) is not None


@lru_cache(1024)
def canonical_id(account: str) -> str:
    """The canonical user id of an account: 64 hexadecimal digits."""
    return hashlib.sha256(f"canonical user {account}".encode()).hexdigest()


def new_version(order: int) -> str:
    """32 characters that hold the version's order; the last 8 prove that it was made here.

    AWS tells made-up ids from those of versions that are gone, and lists from a marker whose version is gone.
    """
    head = f"{token(4)}{order:016x}"
    return head + _proof(head)


def order_of(version: str) -> int:
    """The order in a version id that is not `null`."""
    return int(version[8:24], 16)


def is_version(text: str) -> bool:
    """Whether `text` may name a version: `null`, or an id that S3 has given out."""
    return text == NULL or (_VERSION.fullmatch(text) is not None and text[24:] == _proof(text[:24]))


def _proof(head: str) -> str:
    return hashlib.blake2b(head.encode(), digest_size=4, key=b"s3 version id").hexdigest()


def quoted(etag: str) -> str:
    return f'"{etag}"'


def unquoted(etag: str) -> str:
    return etag.strip().removeprefix("W/").strip('"')


def after_prefix(prefix: str) -> str | None:
    """The first string that sorts after everything that starts with `prefix`; None when there is none."""
    while prefix:
        last = ord(prefix[-1])
        if last < 0x10FFFF:
            return prefix[:-1] + chr(0xE000 if last == 0xD7FF else last + 1)
        prefix = prefix[:-1]
    return None
