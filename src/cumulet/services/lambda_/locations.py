"""Code.Location of GetFunction: an address that gives the package to whoever holds it, for ten minutes."""

import hashlib
import hmac

from cumulet.kernel.clock import Clock
from cumulet.services.lambda_.names import FunctionKey

PREFIX = "/_cumulet/lambda/code/"
_VALID = 600


class Locations:
    """Makes and checks the addresses. `secret` is the node's, so that they outlive a restart."""

    def __init__(self, secret: bytes, clock: Clock) -> None:
        self._secret = secret
        self._clock = clock

    def make(self, endpoint: str, key: FunctionKey, package: str) -> str:
        """`endpoint` is the base address the client used."""
        expires = int(self._clock.now()) + _VALID
        return f"{endpoint}{PREFIX}{package}?expires={expires}&function={key.name}&signature={self._sign(package, expires)}"

    def check(self, package: str, expires: int, signature: str) -> bool:
        """Whether an address is one of ours that is still good."""
        good = hmac.compare_digest(self._sign(package, expires), signature)
        return good and self._clock.now() < expires

    def _sign(self, package: str, expires: int) -> str:
        return hmac.new(self._secret, f"{package}/{expires}".encode(), hashlib.sha256).hexdigest()
