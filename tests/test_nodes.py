"""What tests start ends with them."""

import subprocess
import sys
import time
from pathlib import Path

_STARTS_A_NODE = """
import sys, time
from pathlib import Path
from tests.conftest import NodeProcess
node = NodeProcess(Path(sys.argv[1]))
print(node.process.pid, flush=True)
time.sleep(600)
"""


def _runs(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def test_a_node_ends_with_tests_that_were_killed(tmp_path: Path) -> None:
    root = Path(__file__).parents[1]
    command = [sys.executable, "-c", _STARTS_A_NODE, str(tmp_path / "data")]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as tests:
        assert tests.stdout is not None
        pid = int(tests.stdout.readline())
        assert _runs(pid)
        tests.kill()
    deadline = time.monotonic() + 60
    while _runs(pid):
        assert time.monotonic() < deadline
        time.sleep(0.05)
