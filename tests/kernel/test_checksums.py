"""Checksums against published check values and against themselves in pieces."""

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cumulet.kernel import checksums

STEADY = settings(derandomize=True, max_examples=60, deadline=None)
# The check values of "123456789": reveng's CRC catalogue, RFC 3174 and its kin, the xxHash specification's library.
KNOWN = {
    "CRC32": "cbf43926",
    "CRC32C": "e3069283",
    "CRC64NVME": "ae8b14860a799888",
    "SHA1": "f7c3bc1d808e04732adf679965ccc34ca7ae3441",
    "SHA256": "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225",
    "SHA512": "d9e6762dd1c8eaf6d61b3c6192fc408d4d6d5f1176d0c29169bc24e71c3f274a"
    "d27fcd5811b313d681f7e55ec02d73d499c95455b6b5bb503acf574fba8ffe85",
    "MD5": "25f9e794323b453885f5181f1b624d0b",
    "XXHASH64": "8cb841db40e6ae83",
}


@pytest.mark.parametrize("algorithm", KNOWN)
def test_known_values(algorithm: str) -> None:
    checksum = checksums.new(algorithm)
    checksum.update(b"123456789")
    assert checksum.digest().hex() == KNOWN[algorithm]
    assert checksum.base64() == base64.b64encode(bytes.fromhex(KNOWN[algorithm])).decode()


@pytest.mark.parametrize("algorithm", checksums.ALGORITHMS)
@STEADY
@given(pieces=st.lists(st.binary(max_size=50), max_size=6))
def test_pieces_add_up(algorithm: str, pieces: list[bytes]) -> None:
    checksum = checksums.new(algorithm)
    for piece in pieces:
        checksum.update(piece)
    assert checksum.base64() == checksums.of(algorithm, b"".join(pieces))
    assert checksums.is_valid(algorithm, checksum.base64())


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME"])
@STEADY
@given(pieces=st.lists(st.binary(max_size=5000), min_size=1, max_size=6))
def test_crcs_of_parts_combine(algorithm: str, pieces: list[bytes]) -> None:
    parts = [(checksums.of(algorithm, piece), len(piece)) for piece in pieces]
    assert checksums.full_object(algorithm, parts) == checksums.of(algorithm, b"".join(pieces))


def test_only_crcs_combine() -> None:
    with pytest.raises(ValueError, match="SHA256"):
        checksums.full_object("SHA256", [(checksums.of("SHA256", b"a"), 1)])


def test_composite() -> None:
    parts = [checksums.of("SHA256", part) for part in (b"a", b"b", b"c")]
    whole = checksums.of("SHA256", b"".join(base64.b64decode(part) for part in parts))
    assert checksums.composite("SHA256", parts) == f"{whole}-3"


def test_names_of_headers() -> None:
    for algorithm in checksums.ALGORITHMS:
        assert checksums.algorithm_of(checksums.header(algorithm)) == algorithm
    assert checksums.header("CRC64NVME") == "x-amz-checksum-crc64nvme"
    assert checksums.algorithm_of("x-amz-checksum-type") is None


@pytest.mark.parametrize("value", ["", "AAAA", "AAAAAAA=", "????????", "AAAAAA==x"])
def test_values_that_are_no_crc32(value: str) -> None:
    assert not checksums.is_valid("CRC32", value)
