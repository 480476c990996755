"""The machine's packet filter, which nodes that come and go at the same time share."""

from pathlib import Path

import pytest

from cumulet.compute.linux.firewall import Firewall

_GONE = """#!/bin/sh
case "$*" in
  "list tables ip") echo "table ip cml00000000";;
  "list table ip cml00000000") echo "Error: No such file or directory" >&2; exit 1;;
  *) ! grep -q "delete table ip cml00000000" || { echo "Error: No such file or directory" >&2; exit 1; };;
esac
"""


@pytest.fixture
def firewall(tmp_path: Path) -> Firewall:
    """On a machine where another node's table goes as soon as it has been seen."""
    tool = tmp_path / "nft"
    tool.write_text(_GONE)
    tool.chmod(0o755)
    return Firewall(str(tmp_path), [], [], [])


def test_nodes_that_end_keep_no_other_from_starting(firewall: Firewall) -> None:
    assert firewall.keeps_closed() is False
    firewall.sweep()
    with pytest.raises(OSError, match="No such file"):
        firewall.leave_machine("cml00000000")
