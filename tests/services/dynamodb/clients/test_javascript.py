"""AWS's document client for JavaScript, with Node.js."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import NodeProcess

# Exactly these: a release of today is no reason for a failure here.
PACKAGES = ("@aws-sdk/client-dynamodb@3.1164.0", "@aws-sdk/lib-dynamodb@3.1162.0")
SCRIPT = Path(__file__).parent / "document.mjs"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program, beside the packages that it imports."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("needs Node.js and npm")
    folder = tmp_path_factory.mktemp("document-client")
    arguments = [npm, "install", "--no-audit", "--no-fund", "--prefer-offline", "--fetch-retries=0", *PACKAGES]
    try:
        subprocess.run(arguments, cwd=folder, check=True, capture_output=True, timeout=80)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        pytest.skip(
            f"npm could not install {' '.join(PACKAGES)}: {(error.stderr or b'')[:200].decode(errors='replace')}"
        )
    return Path(shutil.copy(SCRIPT, folder))


def test_documents_go_there_and_back(
    program: Path, node: NodeProcess, account: str, make_table: Callable[..., str]
) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "AWS_ENDPOINT_URL": node.endpoint,
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": account,
        "AWS_SECRET_ACCESS_KEY": "test",
        "TABLE": make_table("id", "at:N"),
    }
    run = subprocess.run(["node", program], env=environment, capture_output=True, text=True, timeout=200, check=False)
    assert run.returncode == 0, run.stderr[-2000:]
    assert json.loads(run.stdout) == expected()


def expected() -> dict[str, Any]:
    return {
        "got": {
            "id": "a",
            "at": 1,
            "text": "héllo",
            "empty": "",
            "flag": False,
            "none": None,
            "real": 1.5,
            "list": [1, "two", {"three": 3}],
            "words": ["x", "y"],
            "numbers": [1, 2],
            "bytes": [0, 255],
        },
        "updated": {"list": [0], "map": {"deep": [{}]}, "real": 2},
        "refused": ["ConditionalCheckFailedException", 400],
        "unprocessed": 0,
        "pages": [[3, 4, 5, 6], [7, 8, 9, 10], [11, 12]],
        "scanned": 26,
        "several": [{"id": "b", "at": 24, "size": 240}],
        "cancelled": ["TransactionCanceledException", ["None", "ConditionalCheckFailed"]],
        "read": [{"id": "b", "at": 1, "size": 6}, None],
        "selected": [{"size": 230}, {"size": 240}],
    }
