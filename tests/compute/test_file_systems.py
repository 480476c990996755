"""File systems that functions share, at each level that can mount them."""

import itertools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.compute.conftest import NOBODY, ROOT, Machine

CODE = """
import os, stat

def handler(event, context):
    try:
        return eval(event)
    except OSError as error:
        return type(error).__name__
"""
Make = Callable[..., dict[str, Any]]
_count = itertools.count()


@pytest.fixture
def shared(machine: Machine) -> Path:
    """A folder as EFS keeps file systems, with one in it for user 1001."""
    folder = machine.folder / f"shared{next(_count)}"
    (folder / "mine").mkdir(parents=True)
    owner = 1001 if machine.level == "full" else NOBODY if ROOT else os.getuid()
    os.chown(folder / "mine", owner, owner)
    return folder


@pytest.fixture
def make(machine: Machine, shared: Path) -> Make:
    def function(**mount: Any) -> dict[str, Any]:
        settings = {"file_system": "fs-1", "target": "/mnt/data", "folder": str(shared), "path": "/mine"}
        one = {**settings, "uid": 1001, "gid": 1001, "read_only": False, **mount}
        return machine.function(CODE, file_systems=[one])

    return function


def test_files_are_shared_and_belong_to_the_function(machine: Machine, make: Make, shared: Path) -> None:
    writer, reader = make(), make(target="/mnt/other")
    assert machine.result(writer, "open('/mnt/data/f', 'w').write('x')") == 1
    assert machine.result(reader, "open('/mnt/other/f', 'a').write('y')") == 1
    assert machine.result(writer, "os.stat('/mnt/data/f').st_uid == os.getuid()") is True
    assert (shared / "mine" / "f").read_text() == "xy"
    if machine.level == "full":
        found = (shared / "mine" / "f").stat()
        assert (found.st_uid, found.st_gid) == (1001, 1001)


def test_other_users_are_others(machine: Machine, make: Make, shared: Path) -> None:
    if machine.level != "full":
        pytest.skip("without root there is one user for all")
    machine.result(make(), "open('/mnt/data/f', 'w').write('x')")
    other = make(uid=1002, gid=1002)
    assert machine.result(other, "os.stat('/mnt/data/f').st_uid") == 1001
    assert machine.result(other, "open('/mnt/data/f', 'a')") == "PermissionError"
    root = make(uid=0, gid=0)
    assert machine.result(root, "open('/mnt/data/f', 'a')") == "PermissionError"
    assert machine.result(root, "open('/mnt/data/g', 'w')") == "PermissionError"


def test_read_only(machine: Machine, make: Make) -> None:
    assert machine.result(make(read_only=True), "open('/mnt/data/f', 'w')") == "OSError"
    assert machine.result(make(read_only=True), "os.listdir('/mnt')") == ["data"]


@pytest.mark.parametrize("path", ["/link", "/link/inner", "/mine/../mine", "/gone"])
def test_the_way_to_it_is_straight(machine: Machine, make: Make, shared: Path, path: str) -> None:
    (shared / "link").symlink_to("/etc")
    function = make(path="/mine/../../" if path == "/mine/../mine" else path)
    outcome = machine.ask("invoke", spec=function, payload="null")
    assert "payload" not in outcome
    assert "unavailable" in outcome


@pytest.mark.parametrize("target", ["/mnt/..", "/mnt/.", "/mnt/a/b"])
def test_places_are_folders_of_mnt(machine: Machine, make: Make, target: str) -> None:
    assert "unavailable" in machine.ask("invoke", spec=make(target=target), payload="null")


def test_programs_give_nobody_rights(machine: Machine, make: Make) -> None:
    script = "[os.chmod(p, 0o4755) for p in [__import__('shutil').copy('/bin/true', '/mnt/data/t')]] and os.stat('/mnt/data/t').st_mode & stat.S_ISUID"
    machine.result(make(), script)
    flags = "[line.split()[3] for line in open('/proc/mounts') if line.split()[1] == '/mnt/data'][0].split(',')"
    assert {"nosuid", "nodev"} <= set(machine.result(make(), flags))
