"""Certificates for AWS's names, which functions trust: so that what speaks https to AWS finds this node.

Made once a data folder, by a process of its own that ends: the node itself loads what it needs when the first such connection
comes. The authority's key is forgotten at once, and it is good for AWS's names alone.
"""

import asyncio
import ssl
import sys
from collections.abc import Sequence
from pathlib import Path

from cumulet.gateway.tls import bare_context, context, is_fresh, write

DOMAINS = ("amazonaws.com", "api.aws", "on.aws")
REGIONS = (  # noqa: SIM905 -- a list of 36 lines is no easier to read
    "af-south-1 ap-east-1 ap-east-2 ap-northeast-1 ap-northeast-2 ap-northeast-3 ap-south-1 ap-south-2 ap-southeast-1 "
    "ap-southeast-2 ap-southeast-3 ap-southeast-4 ap-southeast-5 ap-southeast-6 ap-southeast-7 ca-central-1 ca-west-1 "
    "eu-central-1 eu-central-2 eu-north-1 eu-south-1 eu-south-2 eu-west-1 eu-west-2 eu-west-3 il-central-1 me-central-1 "
    "me-south-1 mx-central-1 sa-east-1 us-east-1 us-east-2 us-gov-east-1 us-gov-west-1 us-west-1 us-west-2"
).split()
_BELOW = (
    "{}.amazonaws.com",
    "s3.{}.amazonaws.com",
    "lambda-url.{}.on.aws",
    "execute-api.{}.amazonaws.com",
    "{}.api.aws",
)
_SYSTEM_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
AUTHORITY, BUNDLE = "ca-cert.pem", "ca-bundle.pem"
NODE_AUTHORITY, NODE_KEY = "node-ca.crt", "node-ca.key"
"""Of the authority that certifies the node's own names, see `names.py`."""


class Authority:
    """Of a node, in `folder`. `trusted` is a folder of public files: the AUTHORITY, and BUNDLE, that and whom this machine
    trusts.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._context: ssl.SSLContext | None = None
        self.trusted = folder / "trusted"

    def prepare(self, now: float) -> bool:
        """Have the trusted files be what they can be yet; False when the certificates have to be made. `now` is real time."""
        self.trusted.mkdir(parents=True, exist_ok=True)
        self._bundle()
        return is_fresh(self._folder / "platform.crt", now)

    async def make(self) -> None:
        """Make them, in a process of its own. Raises OSError."""
        if not await mint("platform", str(self._folder)):
            raise OSError("certificates for AWS's names could not be made: functions reach them by http only")
        self._bundle()

    def server(self) -> ssl.SSLContext:
        """The side of the node in connections by those names; a client that names no host is refused."""
        made = bare_context()
        made.sni_callback = self._choose
        return made

    def certificate(self) -> bytes:
        """The authority's certificate, PEM; empty when there is none yet."""
        path = self.trusted / AUTHORITY
        return path.read_bytes() if path.is_file() else b""

    def _choose(self, connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> int | None:
        if name is None:
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        if self._context is None:
            try:
                self._context = context(self._folder / "platform.crt", self._folder / "platform.key")
            except OSError:  # not made yet
                return ssl.ALERT_DESCRIPTION_INTERNAL_ERROR
        connection.context = self._context
        return None

    def _bundle(self) -> None:
        bundle = self.trusted / BUNDLE
        system = (path for path in map(Path, _SYSTEM_BUNDLES) if path.is_file())
        parts = [path for path in (next(system, None), self.trusted / AUTHORITY) if path is not None and path.is_file()]
        newest = max((part.stat().st_mtime for part in parts), default=0.0)
        if not bundle.exists() or bundle.stat().st_mtime <= newest:
            write(bundle, b"".join(part.read_bytes() for part in parts), 0o644)


async def mint(*arguments: str) -> bool:
    """Run the process that makes certificates; whether it did."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "cumulet.gateway.minting", *arguments)
    return await process.wait() == 0


def names() -> Sequence[str]:
    """What the certificate is for."""
    below = [pattern.format(region) for region in REGIONS for pattern in _BELOW]
    return [name for domain in ("amazonaws.com", "s3.amazonaws.com", *below) for name in (domain, f"*.{domain}")]
