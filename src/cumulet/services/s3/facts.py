"""What a write request says about the object besides its bytes: metadata, tags, encryption, lock, storage class."""

import re
from operator import attrgetter
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from cumulet.api import s3 as api
from cumulet.services.s3 import acls, cipher, locks
from cumulet.services.s3.errors import error, invalid_argument, invalid_request
from cumulet.services.s3.headers import decoded_word
from cumulet.services.s3.model import LONGEST_KEY, Bucket, Facts
from cumulet.services.s3.state import S3

STORAGE_CLASSES = {
    "STANDARD", "REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER", "DEEP_ARCHIVE",
    "GLACIER_IR",
}  # fmt: skip
ARCHIVED = {"GLACIER", "DEEP_ARCHIVE"}
MOST_METADATA = 2048
HEADERS = (
    "content_type", "cache_control", "content_disposition", "content_encoding", "content_language",
    "website_redirect_location",
)  # fmt: skip
_headers = attrgetter(*HEADERS)
_NO_HEADERS = (None,) * len(HEADERS)
_ENCRYPTIONS = {"AES256", "aws:kms", "aws:kms:dsse"}
_TAG = re.compile(r"[\w\s_.:/=+\-@]*", re.UNICODE)
_RESERVED = "System tags cannot be added/updated by requester"
RESERVED_ON_OBJECTS = "Your TagKey cannot be prefixed with aws:"
RESERVED_AT_CREATION = (
    'User-defined tag keys can\'t start with "aws:". This prefix is reserved for system tags. Remove "aws:" from your tag '
    "keys and try again."
)
_encoder = msgspec.json.Encoder()


def encoded(facts: Facts) -> bytes:
    return _encoder.encode(facts)


def check_key(key: str) -> None:
    size = len(key.encode())
    if size > LONGEST_KEY:
        raise error(400, "KeyTooLongError", "Your key is too long", MaxSizeAllowed=str(LONGEST_KEY), Size=str(size))


def storage_class(request: Any) -> str:
    wanted = request.storage_class
    if wanted is None:
        return "STANDARD"
    if wanted not in STORAGE_CLASSES:
        raise error(
            400, "InvalidStorageClass", "The storage class you specified is not valid", StorageClassRequested=wanted
        )
    return str(wanted)


def facts_of(s3: S3, bucket: Bucket, request: Any) -> tuple[Facts, bytes]:
    """The facts in a PutObject, CopyObject or CreateMultipartUpload request, and the customer's key, if one is used."""
    facts = Facts(headers=headers_of(request), expires=request.expires)
    if request.metadata:
        facts.metadata = checked_metadata(request.metadata)
    if request.tagging:
        facts.tags = tags_in_header(request.tagging)
    facts.grants = acls.grants_of_write(bucket, request)
    locks.apply(s3, bucket, facts, request)
    key = encrypt(bucket, facts, request)
    return facts, key


def headers_of(request: Any) -> dict[str, str]:
    values = _headers(request)
    if values == _NO_HEADERS:
        return {}
    found = {name: value for name, value in zip(HEADERS, values, strict=True) if value is not None}
    encoding = found.get("content_encoding")
    if encoding is not None and "aws-chunked" in encoding:
        rest = [one for one in encoding.split(",") if one.strip() != "aws-chunked"]
        if rest:
            found["content_encoding"] = ",".join(rest)
        else:
            del found["content_encoding"]
    redirect = found.get("website_redirect_location")
    if redirect is not None and not redirect.startswith(("/", "http://", "https://")):
        raise error(
            400,
            "InvalidRedirectLocation",
            "The website redirect location must have a prefix of 'http://' or 'https://' or '/'.",
        )
    return found


def checked_metadata(metadata: dict[str, str]) -> dict[str, str]:
    size = sum(len(name.encode()) + len(value.encode()) for name, value in metadata.items())
    if size > MOST_METADATA:
        raise error(
            400,
            "MetadataTooLarge",
            "Your metadata headers exceed the maximum allowed metadata size",
            Size=str(size),
            MaxSizeAllowed=str(MOST_METADATA),
        )
    return {name.lower(): decoded_word(value) if value.startswith("=?") else value for name, value in metadata.items()}


def tags_in_header(header: str) -> dict[str, str]:
    """The tags of an x-amz-tagging header: a URL query."""
    pairs = parse_qsl(header, keep_blank_values=True, encoding="utf-8", errors="replace")
    tags = dict(pairs)
    if not tags or len(tags) != len(pairs) or any("," in part for pair in pairs for part in pair):
        raise invalid_argument(
            "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name "
            "duplicates.",
            "x-amz-tagging",
            header,
        )
    check_tags(pairs, 10, "Object tags cannot be greater than 10", RESERVED_ON_OBJECTS)
    return tags


def check_tags(pairs: list[tuple[str, str]], most: int, too_many: str, reserved: str = _RESERVED) -> dict[str, str]:
    """Tags that S3 takes; raises InvalidTag and BadRequest. `reserved` is what it says of keys that begin with aws:."""
    if len(pairs) > most:
        raise error(400, "BadRequest", too_many)
    tags: dict[str, str] = {}
    for key, value in pairs:
        if key in tags:
            raise error(400, "InvalidTag", "Cannot provide multiple Tags with the same key", TagKey=key)
        if key.startswith("aws:"):
            raise error(400, "InvalidTag", reserved, **({} if reserved == RESERVED_AT_CREATION else {"TagKey": key}))
        if not 1 <= len(key) <= 128 or not _TAG.fullmatch(key):
            raise error(400, "InvalidTag", "The TagKey you have provided is invalid", TagKey=key)
        if len(value) > 256 or not _TAG.fullmatch(value):
            raise error(400, "InvalidTag", "The TagValue you have provided is invalid", TagKey=key, TagValue=value)
        tags[key] = value
    return tags


def encrypt(bucket: Bucket, facts: Facts, request: Any) -> bytes:
    """Settle the encryption of a write: the customer's key, what the request asks for, or the bucket's default."""
    wanted = request.server_side_encryption
    if wanted is not None or request.sse_customer_algorithm is not None or request.sse_customer_key is not None:
        return _asked_encryption(facts, request, wanted)
    if ("encryption", "") in bucket.settings:
        _default_encryption(bucket, facts)
    return b""


def _asked_encryption(facts: Facts, request: Any, wanted: str | None) -> bytes:
    if request.sse_customer_algorithm is not None or request.sse_customer_key is not None:
        if wanted is not None:
            raise invalid_argument(
                "Server Side Encryption with Customer provided key is incompatible with the encryption method specified",
                "x-amz-server-side-encryption",
                wanted,
            )
        key = cipher.key_of(request)
        facts.encryption, facts.customer_key_md5 = "", cipher.key_digest(key)
        return key
    if wanted is not None:
        if wanted not in _ENCRYPTIONS:
            raise invalid_argument(
                "The encryption method specified is not supported", "x-amz-server-side-encryption", wanted
            )
        facts.encryption = wanted
        if request.ssekms_key_id and wanted == "AES256":
            raise invalid_request(
                "Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : "
                "aws:kms"
            )
        facts.kms_key = request.ssekms_key_id or ""
        facts.bucket_key = bool(request.bucket_key_enabled)
    return b""


def _default_encryption(bucket: Bucket, facts: Facts) -> None:
    config = bucket.setting("encryption", api.ServerSideEncryptionConfiguration)
    rule = config.rules[0]
    default = rule.apply_server_side_encryption_by_default
    if default is not None:
        facts.encryption = default.sse_algorithm
        facts.kms_key = default.kms_master_key_id or ""
        facts.bucket_key = bool(rule.bucket_key_enabled) and default.sse_algorithm != "AES256"


def encryption_members(facts: Facts) -> dict[str, Any]:
    """The members of an answer that tell how the object is encrypted."""
    if facts.customer_key_md5:
        return {"sse_customer_algorithm": "AES256", "sse_customer_key_md5": facts.customer_key_md5}
    members: dict[str, Any] = {"server_side_encryption": facts.encryption}
    if facts.kms_key:
        members["ssekms_key_id"] = facts.kms_key
    if facts.bucket_key:
        members["bucket_key_enabled"] = True
    return members
