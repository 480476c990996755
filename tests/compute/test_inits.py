"""Copies that are to become the first processes of environments: without the interpreter, where they live without it."""

import subprocess
import sys

import pytest

from cumulet.compute.sandbox import inits

_PROGRAM = """
import os, sys
from cumulet.compute.linux import syscalls
from cumulet.compute.sandbox import inits

alone = inits.keep_to_itself(tuple(sys.argv[1:]))
status = os.waitpid(syscalls.clone_waiting(0, inits._stack(), 0), 0)[1]
mine = sum("dc" in line.split() for line in open("/proc/self/smaps") if line.startswith("VmFlags"))
print(alone, status, mine > 0)
"""


@pytest.mark.parametrize(
    ("needed", "shown"),
    [(inits._NEEDED, "True 0 True"), (("another library",), "False 0 False")],
    ids=["usual", "more"],
)
def test_copies_get_what_they_need(needed: tuple[str, ...], shown: str) -> None:
    argv = [sys.executable, "-c", _PROGRAM, *needed]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    assert (done.stdout.strip(), done.stderr) == (shown, "")
