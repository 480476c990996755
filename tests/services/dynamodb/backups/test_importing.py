"""Cutting files into lines: any cut of the file gives the same lines, and bombs do not grow."""

import gzip
import struct
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.services.dynamodb.compressing import zstd

from cumulet.services.dynamodb.backups.importing import LONGEST, Lines
from cumulet.services.dynamodb.backups.unpacking import PIECE, Malformed, Unpacker

COMPRESSIONS = (("GZIP", gzip.compress), ("ZSTD", zstd.compress))
SKIPPED = struct.pack("<II", 0x184D2A50, 5) + b"notes"
"""A frame of zstd that readers pass over."""


def lines_of(pieces: list[bytes], compression: str) -> list[bytes]:
    lines = Lines(compression)
    found = [line for piece in pieces for part in lines.feed(piece) for line in part]
    return found + lines.end()


@given(st.lists(st.binary(max_size=20).map(lambda line: line.replace(b"\n", b"").replace(b"\r", b""))), st.data())
def test_cuts_do_not_matter(expected: list[bytes], data: st.DataObject) -> None:
    content = b"".join(line + data.draw(st.sampled_from([b"\n", b"\r\n"])) for line in expected)
    for compression, whole in (
        ("NONE", content),
        ("GZIP", gzip.compress(content)),
        ("GZIP", gzip.compress(content[:7]) + gzip.compress(content[7:])),
        ("ZSTD", zstd.compress(content)),
        ("ZSTD", zstd.compress(content[:7]) + SKIPPED + zstd.compress(content[7:])),
    ):
        size = data.draw(st.integers(1, 50))
        pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
        assert lines_of(pieces, compression) == expected


def test_the_last_line_needs_no_end() -> None:
    assert lines_of([b"a\nb"], "NONE") == [b"a", b"b"]


def test_a_line_has_an_end() -> None:
    with pytest.raises(Malformed, match="longer"):
        lines_of([b"x" * LONGEST, b"x"], "NONE")
    for compression, compress in COMPRESSIONS:
        with pytest.raises(Malformed, match="longer"):
            lines_of([compress(b"x" * (LONGEST * 10))], compression)


def test_compressed_files_are_unpacked_piece_by_piece() -> None:
    for compression, compress in COMPRESSIONS:
        pieces = [len(each) for each in Unpacker(compression).feed(compress(b"0123456\n" * LONGEST))]
        assert sum(pieces) == 8 * LONGEST
        assert max(pieces) <= PIECE


def test_half_a_file_is_refused() -> None:
    for compression, compress in COMPRESSIONS:
        whole = compress(b"a\nb\n")
        for bad in (whole[:-4], b"nothing", whole[:2], whole + b"nothing"):
            with pytest.raises(Malformed, match=compression.lower()):
                lines_of([bad], compression)


def test_files_that_unpack_to_far_more_are_refused_in_bounded_memory() -> None:
    header = b"\x28\xb5\x2f\xfd\x00\x38"  # a window of 128 KB, no size
    block = (131_072 << 3 | 1 << 1).to_bytes(3, "little") + b"\n"  # one byte, so many times
    tracemalloc.start()
    try:
        with pytest.raises(Malformed, match="1100 times"):
            for _ in Unpacker("ZSTD").feed(header + block * 4096):  # 16 KB that stand for 512 MB
                pass
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_huge_windows_are_refused() -> None:
    window: dict[int, int] = {
        zstd.CompressionParameter.window_log: 24,
        zstd.CompressionParameter.enable_long_distance_matching: 1,
    }
    compressor = zstd.ZstdCompressor(options=window)  # it does not know how much there is to come
    frame = compressor.compress(b"a\n" * 10) + compressor.flush()
    with pytest.raises(Malformed, match=r"windows of at most 8388608 bytes: .* too much memory"):
        lines_of([frame], "ZSTD")
