"""Cutting files into lines: any cut of the file gives the same lines, and bombs do not grow."""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cumulet.services.dynamodb.backups.importing import LONGEST, Lines, Malformed


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
    ):
        size = data.draw(st.integers(1, 50))
        pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
        assert lines_of(pieces, compression) == expected


def test_the_last_line_needs_no_end() -> None:
    assert lines_of([b"a\nb"], "NONE") == [b"a", b"b"]


def test_a_line_has_an_end() -> None:
    with pytest.raises(Malformed, match="longer"):
        lines_of([b"x" * LONGEST, b"x"], "NONE")
    with pytest.raises(Malformed, match="longer"):
        lines_of([gzip.compress(b"x" * (LONGEST * 20))], "GZIP")


def test_compressed_lines_come_in_parts() -> None:
    parts = list(Lines("GZIP").feed(gzip.compress(b"0123456\n" * LONGEST)))
    assert len(parts) >= 8
    assert sum(map(len, parts)) == LONGEST


def test_half_a_file_is_refused() -> None:
    whole = gzip.compress(b"a\nb\n")
    for bad in (whole[:-4], b"nothing", b"\x1f\x8b"):
        with pytest.raises(Malformed):
            lines_of([bad], "GZIP")
