"""Packages of strangers: whatever is in them, nothing is written outside of the folder, and nothing left when refused."""

import io
import os
import stat
import zipfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cumulet.kernel.errors import AwsError
from cumulet.services.lambda_.limits import Limits
from cumulet.services.lambda_.packages.unzip import unpack

LIMITS = Limits()
LINK = (stat.S_IFLNK | 0o777) << 16


def archive(*entries: tuple[str, bytes, int]) -> bytes:
    """A zip of (name, content, external attributes)."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content, attributes in entries:
            info = zipfile.ZipInfo(name)
            info.external_attr = attributes
            info.compress_type = zipfile.ZIP_DEFLATED
            made.writestr(info, content)
    return out.getvalue()


def refused(data: bytes, folder: Path, limits: Limits = LIMITS) -> str:
    with pytest.raises(AwsError) as caught:
        unpack(data, folder, limits)
    assert not folder.exists()
    return caught.value.message


def test_files_keep_their_modes_and_can_be_read(tmp_path: Path) -> None:
    data = archive(("run.sh", b"#!/bin/sh", 0o755 << 16), ("lib/a.py", b"", 0o600 << 16), ("plain", b"x", 0))

    assert unpack(data, tmp_path / "code", LIMITS) == 10

    modes = {path: stat.S_IMODE((tmp_path / "code" / path).stat().st_mode) for path in ("run.sh", "lib/a.py", "plain")}
    assert modes == {"run.sh": 0o755, "lib/a.py": 0o644, "plain": 0o644}
    assert stat.S_IMODE((tmp_path / "code/lib").stat().st_mode) == 0o755


def test_set_user_id_is_dropped(tmp_path: Path) -> None:
    unpack(archive(("su", b"", (stat.S_IFREG | 0o4755) << 16)), tmp_path / "code", LIMITS)

    assert stat.S_IMODE((tmp_path / "code/su").stat().st_mode) == 0o755


@pytest.mark.parametrize("name", ["../out", "/out", "a/../../out", "..\\out", "a/../b"])
def test_no_entry_leaves_the_folder(name: str, tmp_path: Path) -> None:
    assert "Could not unzip uploaded file" in refused(archive((name, b"x", 0)), tmp_path / "code")
    assert list(tmp_path.iterdir()) == []


def test_a_link_is_made_but_never_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    data = archive(("link", os.fsencode(outside), LINK), ("link/evil", b"x", 0))

    refused(data, tmp_path / "code")

    assert list(outside.iterdir()) == []
    unpack(archive(("lib.so", b"x", 0), ("lib.so.1", b"lib.so", LINK)), tmp_path / "code", LIMITS)
    assert (tmp_path / "code/lib.so.1").readlink() == Path("lib.so")


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    data = archive(("zeros", bytes(3_000_000), 0))

    limits = msgspec.structs.replace(LIMITS, code_size_unzipped=2_999_999)
    assert refused(data, tmp_path / "code", limits) == "Unzipped size must be smaller than 2999999 bytes"


def test_a_lying_size_does_not_help(tmp_path: Path) -> None:
    data = archive(("zeros", bytes(3_000_000), 0))
    lie = data.replace((3_000_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))

    refused(lie, tmp_path / "code", msgspec.structs.replace(LIMITS, code_size_unzipped=1000))


def test_too_many_entries_are_refused(tmp_path: Path) -> None:
    data = archive(*((f"f{number}", b"", 0) for number in range(11)))

    refused(data, tmp_path / "code", msgspec.structs.replace(LIMITS, zip_entries=10))


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    data = bytearray(archive(("a.py", os.urandom(1000), 0)))
    data[200] ^= 0xFF

    refused(bytes(data), tmp_path / "code")


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 300))
def test_any_damage_is_an_error_of_aws(noise: bytes, place: int) -> None:
    import tempfile

    data = archive(("a/b.py", b"x = 1\n" * 20, 0), ("c", b"y", 0o755 << 16))
    damaged = data[:place] + noise + data[place + len(noise) :]
    with tempfile.TemporaryDirectory() as place_:
        folder = Path(place_) / "code"
        try:
            unpack(damaged, folder, LIMITS)
        except AwsError:
            assert not folder.exists()
        assert {path.name for path in Path(place_).iterdir()} <= {"code"}


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compression_is_refused(tmp_path: Path, method: int) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as made:
        made.writestr("a", b"x" * 1000)
    refused(out.getvalue(), tmp_path / "code")


def test_what_could_not_be_removed_again_is_refused(tmp_path: Path) -> None:
    deep = ["a/" * depth + "f" for depth in (600, 1200, 1800)]
    refused(archive(*((name, b"x", 0) for name in deep)), tmp_path / "code")
    unpack(archive(("a/" * 150 + "f", b"x", 0)), tmp_path / "other", LIMITS)


def test_a_link_to_nothing_is_refused(tmp_path: Path) -> None:
    refused(archive(("link", b"", LINK)), tmp_path / "code")


def test_a_directory_of_too_many_entries_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = (b"PK\1\2" + bytes(42)) * 100_001
    end = b"PK\5\6" + bytes(8) + len(entries).to_bytes(4, "little") + bytes(6)
    monkeypatch.delattr(zipfile, "ZipFile")
    refused(entries + end, tmp_path / "code")
