"""How one part of the platform calls an AWS operation of another, in this process.

The call takes the same road as one from the wire (authorised, recorded, throttled), so a service needs no
import of another, and an event target is treated as AWS treats it.
"""

from typing import Any, Protocol

from msgspec import Struct

from cumulet.kernel.call import Call


class Calls(Protocol):
    """The dispatcher, as services and delivery see it."""

    async def run(self, call: Call, service: str, operation: str, request: Struct) -> Any:
        """Run `operation` (AWS's name, such as `SendMessage`) and give its result struct, or None when it has none.

        Raises AwsError exactly as the wire would answer it.
        """
        ...
