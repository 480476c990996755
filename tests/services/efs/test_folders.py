"""What functions leave on a file system is measured and removed, however hostile."""

import os
from asyncio import run
from pathlib import Path

import pytest

from cumulet.services.efs.folders import Folders, NoRoot
from cumulet.services.efs.model import Owner

ID = "fs-0123456789abcdef0"
OWNER = Owner(os.geteuid(), os.getegid(), "750")


def made_in(tmp_path: Path) -> Folders:
    made = Folders(tmp_path / "file-systems")
    run(made.make(ID))
    return made


def test_sizes_are_as_efs_counts_them(tmp_path: Path) -> None:
    folders = made_in(tmp_path)
    assert run(folders.measure(ID)) == (6144, 0)
    top = folders.path(ID)
    (top / "file").write_bytes(bytes(5000))
    (top / "folder").mkdir()
    os.sync()
    assert run(folders.measure(ID)) == (6144 + (8192 + 2048) + 6144, 2)
    os.link(top / "file", top / "folder" / "same")
    assert run(folders.measure(ID)) == (6144 + (8192 + 2 * 2048) + 6144, 3)
    assert run(folders.measure("fs-none")) == (0, 0)


def test_links_lead_nowhere(tmp_path: Path) -> None:
    folders = made_in(tmp_path)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_bytes(bytes(100_000))
    top = folders.path(ID)
    (top / "link").symlink_to(outside)
    assert run(folders.measure(ID)).size < 20_000
    with pytest.raises(NoRoot):
        run(folders.enter(ID, "/link/new", OWNER))
    with pytest.raises(NoRoot):
        run(folders.enter(ID, "/link", OWNER))
    run(folders.remove(ID))
    assert not top.exists()
    assert (outside / "kept").exists()


def test_deep_trees_are_measured_and_removed(tmp_path: Path) -> None:
    folders = made_in(tmp_path)
    here = os.open(folders.path(ID), os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("d" * 50, dir_fd=here)
        below = os.open("d" * 50, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    assert run(folders.measure(ID)) == (6144 * 3001, 3000)
    run(folders.remove(ID))
    assert not folders.path(ID).exists()


def test_closed_folders_are_removed(tmp_path: Path) -> None:
    folders = made_in(tmp_path)
    closed = folders.path(ID) / "a" / "b"
    closed.mkdir(parents=True)
    (closed / "file").touch()
    closed.chmod(0)
    closed.parent.chmod(0)
    run(folders.remove(ID))
    assert not folders.path(ID).exists()
    run(folders.remove(ID))


def test_roots_are_made_as_their_owner_wants(tmp_path: Path) -> None:
    folders = made_in(tmp_path)
    with pytest.raises(NoRoot):
        run(folders.enter(ID, "/a/b", None))
    run(folders.enter(ID, "/a/b", OWNER))
    found = (folders.path(ID) / "a" / "b").stat()
    assert (found.st_mode & 0o7777, found.st_uid) == (0o750, os.geteuid())
    run(folders.enter(ID, "/a/b", Owner(0, 0, "777")))
    assert (folders.path(ID) / "a" / "b").stat().st_mode & 0o7777 == 0o750
    assert run(folders.strays([ID])) == []
    assert run(folders.strays([])) == [ID]
