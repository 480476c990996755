"""Whose control groups a node removes beside its own. Plain folders stand in: what counts is who holds them, and their age."""

import os
from pathlib import Path

from cumulet.compute.linux import cgroup
from cumulet.compute.linux.cgroup import CPU, Hierarchy

_MADE, _LATER = 1_000_000.0, 2_000_000.0


def _node(place: Path, name: str) -> Hierarchy:
    (place / name).mkdir()
    return Hierarchy({CPU: place / name}, None, frozenset())


def _age(*folders: Path) -> None:
    for folder in folders:
        os.utime(folder, (_MADE, _MADE))


def test_groups_of_nodes_that_are_gone_are_removed(tmp_path: Path) -> None:
    node = _node(tmp_path, "cumulet-1")
    (_node(tmp_path, "cumulet-2").v1[CPU] / "environment").mkdir()
    _age(*tmp_path.glob("*/*"), *tmp_path.iterdir())
    node.sweep_abandoned(_LATER)
    assert [folder.name for folder in tmp_path.iterdir()] == ["cumulet-1"]


def test_groups_of_nodes_that_live_or_begin_stay(tmp_path: Path) -> None:
    node, held, used = (_node(tmp_path, f"cumulet-{number}") for number in (1, 2, 3))
    (held.v1[CPU] / "environment").mkdir()
    (used.v1[CPU] / "environment").mkdir()
    (used.v1[CPU] / "environment" / "cgroup.procs").write_text("1\n")
    (used.v1[CPU] / "another").mkdir()
    (tmp_path / "another").mkdir()
    assert held.hold()
    _age(*tmp_path.glob("*/*"), *tmp_path.iterdir())
    _node(tmp_path, "cumulet-4")
    node.sweep_abandoned(_LATER)
    found = sorted(str(folder.relative_to(tmp_path)) for folder in tmp_path.glob("*/*"))
    assert found == ["cumulet-2/environment", "cumulet-3/another", "cumulet-3/environment"]
    assert sorted(folder.name for folder in tmp_path.iterdir()) == [
        "another",
        *(f"cumulet-{one}" for one in (1, 2, 3, 4)),
    ]


def test_folders_that_went_away_are_to_be_found_again(tmp_path: Path) -> None:
    node = _node(tmp_path, "cumulet-1")
    node.v1[CPU].rmdir()
    assert not node.hold()
    assert cgroup._v2_abilities(node.v1[CPU]) == frozenset()


def test_a_folder_goes_with_the_last_node_of_its_name(tmp_path: Path) -> None:
    late = _node(tmp_path, "cumulet-1")
    node = Hierarchy(late.v1, None, frozenset())
    assert late.hold()
    assert node.hold()
    late.remove()
    assert late.v1[CPU].exists()
    node.remove()
    assert not late.v1[CPU].exists()
