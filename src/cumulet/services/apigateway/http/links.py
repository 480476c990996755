"""VPC links of this API, for private integrations of both."""

from __future__ import annotations

from cumulet.services.apigateway.http.store import VPC_LINK, PartStore
from cumulet.services.apigateway.plane.links import FindTags
from cumulet.storage.database import Database


def link_tags(db: Database) -> FindTags:
    """Finds the tags of a link."""
    parts = PartStore(db)

    async def find(account: str, region: str, id: str) -> dict[str, str] | None:
        link = await parts.get(f"{account}/{region}", VPC_LINK, id)
        return None if link is None else dict(link.tags or {})

    return find
