"""The checksums that S3 and its SDKs speak: docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html."""

import base64
import binascii
import hashlib
import zlib
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, Protocol


class _Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...

    def digest(self) -> bytes: ...


class Checksum:
    """One running checksum; `update` with the pieces, then `digest` or `base64` (the form that headers hold)."""

    __slots__ = ("_hash", "algorithm")

    def __init__(self, algorithm: str, running: _Hash) -> None:
        self.algorithm = algorithm
        self._hash = running

    def update(self, data: bytes) -> None:
        """Take the next piece."""
        self._hash.update(data)

    def digest(self) -> bytes:
        """The checksum of what came so far."""
        return self._hash.digest()

    def base64(self) -> str:
        """The same as headers and JSON hold it."""
        return base64.b64encode(self._hash.digest()).decode("ascii")


class _Crc:
    """A CRC as a hash; its value is big-endian on the wire."""

    __slots__ = ("_calculate", "_size", "_value")

    def __init__(self, calculate: Callable[[bytes, int], int], size: int) -> None:
        self._calculate = calculate
        self._size = size
        self._value = 0

    def update(self, data: bytes) -> None:
        self._value = self._calculate(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._size, "big")


# Loaded when first needed: most nodes see CRC32 alone.
@cache
def _model(name: str) -> Any:
    import anycrc  # noqa: PLC0415 -- lazy, see above

    return anycrc.Model(name)


@cache
def _xxhash() -> Any:
    import xxhash  # noqa: PLC0415 -- lazy, see above

    return xxhash


_CRC_NAMES = {"CRC32": "CRC32", "CRC32C": "CRC32C", "CRC64NVME": "CRC64-NVME"}
_MAKE: dict[str, Callable[[], _Hash]] = {
    "CRC32": lambda: _Crc(zlib.crc32, 4),
    "CRC32C": lambda: _Crc(_model("CRC32C").calc, 4),
    "CRC64NVME": lambda: _Crc(_model("CRC64-NVME").calc, 8),
    "SHA1": lambda: hashlib.sha1(usedforsecurity=False),
    "SHA256": hashlib.sha256,
    "SHA512": hashlib.sha512,
    "MD5": lambda: hashlib.md5(usedforsecurity=False),
    "XXHASH64": lambda: _hash(_xxhash().xxh64()),
    "XXHASH3": lambda: _hash(_xxhash().xxh3_64()),
    "XXHASH128": lambda: _hash(_xxhash().xxh3_128()),
}
_SIZES = {
    "CRC32": 4,
    "CRC32C": 4,
    "CRC64NVME": 8,
    "SHA1": 20,
    "SHA256": 32,
    "SHA512": 64,
    "MD5": 16,
    "XXHASH64": 8,
    "XXHASH3": 8,
    "XXHASH128": 16,
}
ALGORITHMS = tuple(_MAKE)
_HEADERS = {f"x-amz-checksum-{name.lower()}": name for name in ALGORITHMS}


def _hash(running: Any) -> _Hash:
    found: _Hash = running
    return found


def new(algorithm: str) -> Checksum:
    """A checksum of nothing yet. Raises KeyError for an algorithm that is not in ALGORITHMS."""
    return Checksum(algorithm, _MAKE[algorithm]())


def of(algorithm: str, data: bytes) -> str:
    """The base64 checksum of bytes in memory."""
    running = _MAKE[algorithm]()
    running.update(data)
    return base64.b64encode(running.digest()).decode("ascii")


def header(algorithm: str) -> str:
    """The header (or trailer) that carries a checksum: `x-amz-checksum-crc32`."""
    return f"x-amz-checksum-{algorithm.lower()}"


def algorithm_of(name: str) -> str | None:
    """The algorithm a header of lower case carries, None when it carries none."""
    return _HEADERS.get(name)


def is_valid(algorithm: str, value: str) -> bool:
    """Whether `value` can be a checksum of that algorithm: base64, of the right length."""
    try:
        return len(base64.b64decode(value, validate=True)) == _SIZES[algorithm]
    except (binascii.Error, ValueError):
        return False


def composite(algorithm: str, parts: Iterable[str]) -> str:
    """The checksum of a multipart object as the checksum of its parts' (base64 each), with their count: `...=-3`."""
    checksum = new(algorithm)
    count = 0
    for part in parts:
        checksum.update(base64.b64decode(part))
        count += 1
    return f"{checksum.base64()}-{count}"


def full_object(algorithm: str, parts: Iterable[tuple[str, int]]) -> str:
    """The checksum of a whole object from its parts' (base64, length in bytes); only CRCs can. Raises ValueError else."""
    if algorithm not in _CRC_NAMES:
        raise ValueError(f"{algorithm} of a whole object cannot be combined from its parts'")
    combine = _model(_CRC_NAMES[algorithm]).combine
    value = 0
    for part, length in parts:
        if length:
            value = combine(value, int.from_bytes(base64.b64decode(part), "big"), length)
    return base64.b64encode(value.to_bytes(_SIZES[algorithm], "big")).decode("ascii")
