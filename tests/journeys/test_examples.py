"""The examples do what their pages say, run as a user runs them."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(300)
def test_the_thumbnail_story() -> None:
    """What `make demo` shows: upload, event, sandboxed function, thumbnail, retries of a bad file, a healthy node."""
    run = subprocess.run(
        [sys.executable, ROOT / "examples/thumbnail/run.py"], capture_output=True, text=True, timeout=280, check=False
    )
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
    assert run.stdout.rstrip().endswith("demo: ok")
    for told in ("cold start", "billed duration", "object written", "[ERROR] NotAnImage", "three attempts"):
        assert told in run.stdout
    thumbnail = ROOT / "build/thumbnail/astronaut-thumbnail.jpg"
    assert thumbnail.read_bytes().startswith(b"\xff\xd8\xff")
