"""What functions leave on a file system is measured and removed, however hostile."""

import os
from pathlib import Path

import pytest

from cumulet.services.efs.folders import Folders, NoRoot
from cumulet.services.efs.model import Owner

ID = "fs-0123456789abcdef0"
OWNER = Owner(os.geteuid(), os.getegid(), "750")


async def made_in(tmp_path: Path) -> Folders:
    made = Folders(tmp_path / "file-systems")
    await made.make(ID)
    return made


async def test_sizes_are_as_efs_counts_them(tmp_path: Path) -> None:
    folders = await made_in(tmp_path)
    assert await folders.measure(ID) == 6144
    top = folders.path(ID)
    (top / "file").write_bytes(bytes(5000))
    (top / "folder").mkdir()
    os.sync()
    assert await folders.measure(ID) == 6144 + (8192 + 2048) + 6144
    os.link(top / "file", top / "folder" / "same")
    assert await folders.measure(ID) == 6144 + (8192 + 2 * 2048) + 6144
    assert await folders.measure("fs-none") == 0


async def test_links_lead_nowhere(tmp_path: Path) -> None:
    folders = await made_in(tmp_path)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_bytes(bytes(100_000))
    top = folders.path(ID)
    (top / "link").symlink_to(outside)
    assert await folders.measure(ID) < 20_000
    with pytest.raises(NoRoot):
        await folders.enter(ID, "/link/new", OWNER)
    with pytest.raises(NoRoot):
        await folders.enter(ID, "/link", OWNER)
    await folders.remove(ID)
    assert not top.exists()
    assert (outside / "kept").exists()


async def test_deep_trees_are_measured_and_removed(tmp_path: Path) -> None:
    folders = await made_in(tmp_path)
    here = os.open(folders.path(ID), os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("d" * 50, dir_fd=here)
        below = os.open("d" * 50, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    assert await folders.measure(ID) == 6144 * 3001
    await folders.remove(ID)
    assert not folders.path(ID).exists()


async def test_closed_folders_are_removed(tmp_path: Path) -> None:
    folders = await made_in(tmp_path)
    closed = folders.path(ID) / "a" / "b"
    closed.mkdir(parents=True)
    (closed / "file").touch()
    closed.chmod(0)
    closed.parent.chmod(0)
    await folders.remove(ID)
    assert not folders.path(ID).exists()
    await folders.remove(ID)


async def test_roots_are_made_as_their_owner_wants(tmp_path: Path) -> None:
    folders = await made_in(tmp_path)
    with pytest.raises(NoRoot):
        await folders.enter(ID, "/a/b", None)
    await folders.enter(ID, "/a/b", OWNER)
    found = (folders.path(ID) / "a" / "b").stat()
    assert (found.st_mode & 0o7777, found.st_uid) == (0o750, os.geteuid())
    await folders.enter(ID, "/a/b", Owner(0, 0, "777"))
    assert (folders.path(ID) / "a" / "b").stat().st_mode & 0o7777 == 0o750
    assert await folders.strays([ID]) == []
    assert await folders.strays([]) == [ID]
