"""Code.Location of GetFunction: an address that gives the package to whoever holds it, for ten minutes."""

import hashlib
import hmac
import re
from collections.abc import Mapping

from cumulet.kernel.clock import Clock
from cumulet.services.lambda_.names import FunctionKey

_MOMENT = re.compile(r"[0-9]{1,12}")
_VALID = 600


class Locations:
    """Makes and checks the addresses, which begin with `path`. `secret` is the node's, so that they outlive a restart."""

    def __init__(self, secret: bytes, clock: Clock, path: str) -> None:
        self._path = path
        self._secret = secret
        self._clock = clock

    def make(self, endpoint: str, key: FunctionKey, package: str) -> str:
        """`endpoint` is the base address the client used."""
        expires = int(self._clock.now()) + _VALID
        return f"{endpoint}{self._path}{package}?expires={expires}&function={key.name}&signature={self._sign(package, expires)}"

    def check(self, package: str, query: Mapping[str, str]) -> bool:
        """Whether an address is one of ours that is still good. `package` and `query` are its last parts."""
        expires, signature = query.get("expires", ""), query.get("signature", "")
        if not _MOMENT.fullmatch(expires) or not signature.isascii() or self._clock.now() >= int(expires):
            return False
        return hmac.compare_digest(self._sign(package, int(expires)), signature)

    def _sign(self, package: str, expires: int) -> str:
        return hmac.new(self._secret, f"{package}/{expires}".encode(), hashlib.sha256).hexdigest()
