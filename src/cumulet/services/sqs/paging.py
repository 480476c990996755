"""Pages of queues: in the order of names, each token naming the last one shown."""

import base64
import binascii
from collections.abc import Sequence

from cumulet.kernel.call import Call
from cumulet.services.sqs.errors import InvalidParameterValue, invalid
from cumulet.services.sqs.model import Queue, queue_url

_MOST = 1000


def limit(max_results: int | None) -> int:
    if max_results is None:
        return _MOST
    if not 1 <= max_results <= _MOST:
        raise invalid("MaxResults", max_results, f"MaxResults must be an integer between 1 and {_MOST}.")
    return max_results


def name_in(token: str | None) -> str:
    """The name after which a page begins; empty for the first page."""
    if not token:
        return ""
    try:
        return base64.b64decode(token, validate=True).decode().rpartition("/")[2]
    except (binascii.Error, ValueError):
        raise InvalidParameterValue("Invalid or expired next token.") from None


def page(call: Call, found: Sequence[Queue], limit: int, *, paged: bool) -> tuple[list[str], str | None]:
    """URLs, and the token of the next page; AWS gives one only to those who ask for pages."""
    urls = [queue_url(call, queue) for queue in found[:limit]]
    more = paged and len(found) > limit
    return urls, base64.b64encode(urls[-1].encode()).decode() if more else None
