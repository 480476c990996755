"""Layers of an image become a folder, and nothing beside it, whatever they hold."""

import gzip
import io
import json
import stat
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from cumulet.compute.images import image_unpacker

Entry = tuple[str, str, str | bytes]
"""A name, a kind of tarfile, and the content or the target."""
FILE, FOLDER, LINK, HARD = (
    tarfile.REGTYPE.decode(),
    tarfile.DIRTYPE.decode(),
    tarfile.SYMTYPE.decode(),
    tarfile.LNKTYPE.decode(),
)


def layer(*entries: Entry, mode: int = 0o600) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, kind, content in entries:
            info = tarfile.TarInfo(name)
            info.type, info.mode = kind.encode(), mode
            if kind in {LINK, HARD}:
                info.linkname = str(content)
                archive.addfile(info)
            else:
                data = content if isinstance(content, bytes) else content.encode()
                info.size = len(data) if kind == FILE else 0
                archive.addfile(info, io.BytesIO(data) if kind == FILE else None)
    return out.getvalue()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


class Unpacked:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "root"
        self.root.mkdir()

    def unpack(self, *layers: bytes, limit: int = 1 << 20) -> str:
        """What the unpacker said."""
        paths = []
        for number, content in enumerate(layers):
            path = self.folder / f"{number}.tar"
            path.write_bytes(content)
            paths.append(str(path))
        order: dict[str, Any] = {"layers": paths, "root": str(self.root), "limit": limit}
        argv = [sys.executable, "-I", "-S", *image_unpacker(), json.dumps(order)]
        done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60)
        return done.stdout

    def text(self, name: str) -> str:
        return (self.root / name).read_text()


@pytest.fixture
def made(tmp_path: Path) -> Unpacked:
    return Unpacked(tmp_path)


def test_layers_lie_over_each_other_and_whiteouts_hide(made: Unpacked) -> None:
    below = layer(("a/one", FILE, "1"), ("a/two", FILE, "2"), ("b/three", FILE, "3"), ("c", FILE, "4"))
    above = layer(("a/one", FILE, "new"), ("a/.wh.two", FILE, ""), ("b/.wh..wh..opq", FILE, ""), ("b/own", FILE, "5"))
    assert made.unpack(gzip.compress(below), above) == ""
    assert made.text("a/one") == "new"
    assert names(made.root / "a") == ["one"]
    assert names(made.root / "b") == ["own"]
    assert made.text("c") == "4"


def test_a_folder_gives_way_to_a_file_and_a_file_to_a_folder(made: Unpacked) -> None:
    assert made.unpack(layer(("x/y", FILE, "1"), ("z", FILE, "2")), layer(("x", FILE, "3"), ("z/w", FILE, "4"))) == ""
    assert (made.text("x"), made.text("z/w")) == ("3", "4")


def test_links_between_folders_are_followed_inside(made: Unpacked) -> None:
    below = layer(("usr/lib", FOLDER, ""), ("lib", LINK, "/usr/lib"), ("up", LINK, "../../usr"))
    assert made.unpack(below, layer(("lib/one.so", FILE, "1"), ("up/two", FILE, "2"))) == ""
    assert made.text("usr/lib/one.so") == "1"
    assert made.text("usr/two") == "2"
    assert str((made.root / "lib").readlink()) == "/usr/lib"


def test_hard_links_are_made(made: Unpacked) -> None:
    assert made.unpack(layer(("a", FILE, "same"), ("b", HARD, "a"))) == ""
    assert (made.root / "a").samefile(made.root / "b")


def test_everything_is_readable_and_nothing_set_user(made: Unpacked) -> None:
    assert made.unpack(layer(("bin/tool", FILE, "x"), mode=0o4700)) == ""
    mode = stat.S_IMODE((made.root / "bin/tool").stat().st_mode)
    assert mode & 0o7000 == 0
    assert mode & 0o444 == 0o444


def test_the_places_of_a_sandbox_are_folders_and_files_whatever_the_image_has_there(
    made: Unpacked, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    hostile = layer(
        ("proc", LINK, str(outside)),
        ("dev", FILE, "no folder"),
        ("etc", LINK, str(outside)),
        ("tmp", LINK, "/nowhere"),
        ("run/x", FILE, ""),
    )
    assert made.unpack(hostile) == ""
    for name in ("proc", "dev", "etc", "tmp"):
        assert stat.S_ISDIR((made.root / name).lstat().st_mode)
    for name in ("passwd", "hosts", "resolv.conf"):
        assert stat.S_ISREG((made.root / "etc" / name).lstat().st_mode)
    assert names(outside) == []


@pytest.mark.parametrize(
    "entries",
    [
        [("../escaped", FILE, "x")],
        [("/../../escaped", FILE, "x")],
        [("a/../../escaped", FILE, "x")],
    ],
)
def test_names_that_lead_outside_are_refused(made: Unpacked, entries: list[Entry]) -> None:
    assert "leads outside" in made.unpack(layer(*entries))
    assert not (made.folder / "escaped").exists()


@pytest.mark.parametrize("name", ["link/escaped", "link/../escaped", "deep/link/escaped"])
def test_links_do_not_lead_outside(made: Unpacked, name: str) -> None:
    outside = made.folder / "outside"
    outside.mkdir()
    (outside / "kept").write_text("kept")
    link = name.partition("link")[0] + "link"
    made.unpack(layer((link, LINK, str(outside))), layer((name, FILE, "x"), (f"{link}/.wh.kept", FILE, "")))
    made.unpack(layer((link, LINK, "../" * 20 + str(outside))), layer((f"{link}/escaped", FILE, "x")))
    assert names(outside) == ["kept"]


def test_hard_links_do_not_reach_outside(made: Unpacked) -> None:
    secret = made.folder / "secret"
    secret.write_text("secret")
    assert "which is not there" in made.unpack(layer(("a", HARD, str(secret))))
    assert "which is not there" in made.unpack(layer(("a", HARD, "../secret")))
    made.unpack(layer(("l", LINK, str(secret)), ("a", HARD, "l")), layer(("a", FILE, "overwritten")))
    assert secret.read_text() == "secret"


def test_links_in_a_circle_are_refused(made: Unpacked) -> None:
    assert "lead nowhere" in made.unpack(layer(("a", LINK, "b"), ("b", LINK, "a"), ("a/x", FILE, "1")))


def test_devices_and_pipes_are_left_out(made: Unpacked) -> None:
    kinds = (tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE)
    entries = [(f"d{number}", kind.decode(), "") for number, kind in enumerate(kinds)]
    assert made.unpack(layer(*entries, ("f", FILE, "x"))) == ""
    assert not {"d0", "d1", "d2"} & set(names(made.root))


def test_more_bytes_than_allowed_are_refused_before_they_are_written(made: Unpacked) -> None:
    assert "larger than allowed" in made.unpack(gzip.compress(layer(("zeros", FILE, bytes(3 << 20)))))
    assert not (made.root / "zeros").exists()


def test_a_huge_header_is_refused(made: Unpacked) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT, pax_headers={"comment": "x" * (2 << 20)}):
        pass
    assert "header" in made.unpack(out.getvalue())


@pytest.mark.parametrize(
    "content",
    [b"no archive", gzip.compress(b"x" * 600)[:-4], gzip.compress(layer(("a", FILE, "x" * 5000)))[:-40]],
    ids=["text", "damaged", "cut"],
)
def test_what_is_no_archive_is_refused(made: Unpacked, content: bytes) -> None:
    assert made.unpack(content) != ""


def test_what_could_not_be_removed_again_is_refused(made: Unpacked) -> None:
    deep = [("a/" * depth, FOLDER, "") for depth in range(100, 1500, 100)]
    assert "nested too deeply" in made.unpack(layer(*deep))
