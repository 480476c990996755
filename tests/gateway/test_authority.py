"""The certificates for AWS's names."""

import asyncio
import contextlib
import ssl
import time
from pathlib import Path

import pytest

from cumulet.gateway import authority, minting

_NOW = time.time()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("names")
    minting.platform(folder, _NOW)
    return folder


def _handshake(folder: Path, name: str, trusted: Path) -> None:
    """Raises ssl.SSLError when the client refuses the server."""
    client = ssl.create_default_context(cafile=str(trusted))
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    server_side = authority.Authority(folder).server().wrap_bio(to_server, to_client, server_side=True)
    client_side = client.wrap_bio(to_client, to_server, server_hostname=name)
    for _ in range(10):
        for side in (client_side, server_side):
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()


@pytest.mark.parametrize(
    "name",
    [
        "sqs.us-east-1.amazonaws.com",
        "s3.amazonaws.com",
        "bucket.s3.amazonaws.com",
        "bucket.s3.eu-west-1.amazonaws.com",
        "abc.lambda-url.us-east-1.on.aws",
        "sqs.us-east-1.api.aws",
    ],
)
def test_it_is_good_for_awss_names(made: Path, name: str) -> None:
    _handshake(made, name, made / "trusted" / authority.AUTHORITY)


@pytest.mark.parametrize("name", ["example.com", "amazonaws.com.example.com", "a.bucket.s3.amazonaws.com"])
def test_it_is_good_for_no_other(made: Path, name: str) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        _handshake(made, name, made / "trusted" / authority.AUTHORITY)


def test_the_authoritys_key_is_nowhere(made: Path) -> None:
    keys = [path for path in made.rglob("*") if path.is_file() and b"PRIVATE KEY" in path.read_bytes()]
    assert [path.name for path in keys] == ["platform.key"]
    assert keys[0].stat().st_mode & 0o777 == 0o600
    assert {path.name for path in (made / "trusted").iterdir()} <= {authority.AUTHORITY, authority.BUNDLE}


def test_it_is_made_once_and_again_before_it_ends(tmp_path: Path) -> None:
    one = authority.Authority(tmp_path)
    assert not one.prepare(_NOW)
    asyncio.run(one.make())
    assert (tmp_path / "trusted" / authority.AUTHORITY).read_bytes() in (one.trusted / authority.BUNDLE).read_bytes()
    assert one.prepare(_NOW)
    assert not one.prepare(_NOW + 800 * 86_400)
