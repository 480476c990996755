"""Messages of a queue that were received ahead, and that nobody has seen: they are given back as if they had stayed there.

Asked for by `Calls`, as the operation ReturnMessages of `sqs`, which no client can reach; who may receive may do it.
"""

from msgspec import Struct

OPERATION = "ReturnMessages"


class ReturnMessages(Struct, frozen=True, kw_only=True):
    """The request. Handles of receivings that are over are passed over. The answer is None."""

    queue_url: str
    receipt_handles: list[str]
