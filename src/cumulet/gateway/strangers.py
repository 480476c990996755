"""Requests that a browser sends for pages of others: whoever looks at such a page did not mean to command this node."""

import re

from cumulet.wire.http import HttpRequest

_HERE = re.compile(r"https?://(localhost|127(\.[0-9]{1,3}){3}|\[::1\])(:[0-9]{1,5})?", re.IGNORECASE)
# Names that nobody else can lead to this machine: addresses, single words, what is never delegated, AWS's own.
_NOBODY_ELSES = re.compile(
    r"(\[[0-9a-f:.]+\]|[0-9.]+|[a-z0-9_-]+"
    r"|[a-z0-9_.-]+\.(localhost|local|internal|test|amazonaws\.com(\.cn)?|on\.aws|localhost\.localstack\.cloud))(:[0-9]{1,5})?",
    re.IGNORECASE,
)


def is_of_another_site(request: HttpRequest) -> bool:
    """Whether a browser says that it asks for a page that did not come from this machine.

    A page's own name may lead here as well (DNS rebinding); then it says nothing, but the name is one that others can have.
    """
    origin = request.headers.get("origin")
    if origin is not None:
        return _HERE.fullmatch(origin) is None
    if request.headers.get("sec-fetch-site") == "cross-site":
        return True
    browser = "Mozilla/" in request.headers.get("user-agent", "")
    return browser and _NOBODY_ELSES.fullmatch(request.headers.get("host", "")) is None
