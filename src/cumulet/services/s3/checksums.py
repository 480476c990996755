"""The x-amz-checksum-* members of requests and answers, and Content-MD5."""

import base64
import operator
from typing import Any

from cumulet.kernel import checksums
from cumulet.kernel.errors import AwsError
from cumulet.services.s3.errors import error, invalid_request

COMPOSITE = "COMPOSITE"
FULL_OBJECT = "FULL_OBJECT"
DEFAULT = "CRC64NVME"
"""What S3 computes and keeps when a client sends no checksum."""

MEMBERS = {
    "CRC32": "checksum_crc32",
    "CRC32C": "checksum_crc32_c",
    "CRC64NVME": "checksum_crc64_nvme",
    "SHA1": "checksum_sha1",
    "SHA256": "checksum_sha256",
    "SHA512": "checksum_sha512",
    "MD5": "checksum_md5",
    "XXHASH64": "checksum_xxhash64",
    "XXHASH3": "checksum_xxhash3",
    "XXHASH128": "checksum_xxhash128",
}
_values = operator.attrgetter(*MEMBERS.values())
_NONE = (None,) * len(MEMBERS)
_LENGTHS = {
    "CRC32": 4, "CRC32C": 4, "CRC64NVME": 8, "SHA1": 20, "SHA256": 32, "SHA512": 64, "MD5": 16,
    "XXHASH64": 8, "XXHASH3": 8, "XXHASH128": 16,
}  # fmt: skip
_COMPOSITE_BY_DEFAULT = {"CRC32", "CRC32C", "SHA1", "SHA256", "SHA512", "MD5", "XXHASH64", "XXHASH3", "XXHASH128"}
FULL_OBJECT_POSSIBLE = {"CRC32", "CRC32C", "CRC64NVME"}
_NAMES = "CRC32, CRC32C, CRC64NVME, SHA1, SHA256"


def sent(request: Any) -> tuple[str, str]:
    """The algorithm and value of the checksum member that a request has; two empty strings when it has none."""
    values = _values(request)
    if values == _NONE:
        return "", ""
    found = [(algorithm, value) for algorithm, value in zip(MEMBERS, values, strict=True) if value is not None]
    if len(found) > 1:
        raise invalid_request("Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
    return found[0]


def checked_algorithm(name: str) -> str:
    """An algorithm as S3 names it; raises InvalidRequest for one that does not exist."""
    algorithm = name.upper()
    if algorithm not in MEMBERS:
        raise invalid_request(
            f"Checksum algorithm provided is unsupported. Please try again with any of the valid types: [{_NAMES}]"
        )
    return algorithm


def check_value(algorithm: str, value: str) -> None:
    """A checksum sent in a header must be base 64 of the right length (multipart ones may end in -N)."""
    try:
        raw = base64.b64decode(value, validate=True)
    except ValueError:
        raw = b""
    if len(raw) != _LENGTHS[algorithm]:
        raise invalid_request(f"Value for {checksums.header(algorithm)} header is invalid.")


def mismatch(algorithm: str) -> AwsError:
    return error(400, "BadDigest", f"The {algorithm} you specified did not match the calculated checksum.")


def expected_md5(content_md5: str | None) -> bytes | None:
    """The digest in a Content-MD5 header; raises InvalidDigest when it is not one."""
    if content_md5 is None:
        return None
    try:
        raw = base64.b64decode(content_md5, validate=True)
    except ValueError:
        raw = b""
    if len(raw) != 16:
        raise AwsError(
            "The Content-MD5 you specified was invalid.",
            code="InvalidDigest",
            fields={"Content-MD5": content_md5},
        )
    return raw


def wrong_md5(expected: bytes, calculated: bytes, *, part: bool = False) -> AwsError:
    """S3 tells what it expected in base 64 for parts, and in hexadecimal for objects."""
    return error(
        400,
        "BadDigest",
        "The Content-MD5 you specified did not match what we received.",
        ExpectedDigest=base64.b64encode(expected).decode() if part else expected.hex(),
        CalculatedDigest=base64.b64encode(calculated).decode(),
    )


def members(algorithm: str, value: str) -> dict[str, Any]:
    """The member of an answer that carries a checksum."""
    return {MEMBERS[algorithm]: value} if algorithm and value else {}


def type_for(algorithm: str, asked: str | None) -> str:
    """The checksum type of a multipart upload; raises InvalidRequest for combinations that S3 does not have."""
    if asked is None:
        return COMPOSITE if algorithm in _COMPOSITE_BY_DEFAULT else FULL_OBJECT
    if asked == FULL_OBJECT and algorithm not in FULL_OBJECT_POSSIBLE:
        raise invalid_request(
            f"The FULL_OBJECT checksum type cannot be used with the {algorithm.lower()} checksum algorithm."
        )
    if asked == COMPOSITE and algorithm == "CRC64NVME":
        raise invalid_request("The COMPOSITE checksum type cannot be used with the crc64nvme checksum algorithm.")
    return asked
