"""VPC links: where private integrations lead on a machine without VPCs.

Whoever makes a link says so by its tag `cumulet:target`: the address that stands for the load balancer behind it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

TAG = "cumulet:target"
FindTags = Callable[[str, str, str], Awaitable[dict[str, str] | None]]
"""The tags of a link, by account, region and id; None when there is no such link."""


class NoLink(Exception):
    """The link of an integration is not there."""


class Links:
    """VPC links of both APIs: each finds one kind."""

    def __init__(self, *kinds: FindTags) -> None:
        self._kinds = kinds

    async def target(self, account: str, region: str, id: str) -> str:
        """The address that a link leads to; empty where nobody has said, and so integrations name it themselves. Raises NoLink."""
        for find in self._kinds:
            tags = await find(account, region, id)
            if tags is not None:
                return tags.get(TAG, "").rstrip("/")
        raise NoLink(f"the VPC link {id} does not exist")


def through(target: str, url: str) -> str:
    """A URL with the target in the place of its server."""
    rest = url.partition("://")[2]
    at = next((place for place, character in enumerate(rest) if character in "/?"), len(rest))
    return target + rest[at:]


def server(url: str) -> tuple[str, str]:
    """The server of a URL: with its port, and its name alone."""
    place = url.partition("://")[2].partition("/")[0].partition("?")[0]
    name = place[1:].partition("]")[0] if place.startswith("[") else place.partition(":")[0]
    return place, name
