"""Requests that a browser sends for pages of others: whoever looks at such a page did not mean to command this node."""

import re

from cumulet.wire.http import HttpRequest

_HERE = re.compile(r"https?://(localhost|127(\.[0-9]{1,3}){3}|\[::1\])(:[0-9]{1,5})?", re.IGNORECASE)


def is_of_another_site(request: HttpRequest) -> bool:
    """Whether a browser says that it asks for a page that did not come from this machine."""
    origin = request.headers.get("origin")
    if origin is not None:
        return _HERE.fullmatch(origin) is None
    return request.headers.get("sec-fetch-site") == "cross-site"
