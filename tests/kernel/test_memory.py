import platform
import subprocess
import sys

import pytest

from cumulet.kernel.memory import give_back_memory, keep_freed_memory


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library keeps its own counsel")
def test_memory_of_a_rush_is_given_back() -> None:
    keep_freed_memory()
    buffers = [bytes(262_144) for _ in range(400)]
    last = bytes(262_144)  # above them, so that freeing them does not shrink the heap by itself
    buffers.clear()
    assert give_back_memory()
    del last


def test_nothing_is_given_back_where_nothing_is_kept() -> None:
    """In a process of its own, where nothing else is freed meanwhile."""
    code = "from cumulet.kernel.memory import give_back_memory; give_back_memory(); print(give_back_memory())"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout == "False\n"
