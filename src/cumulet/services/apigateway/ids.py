"""Ids that a user may choose, which AWS does not have: addresses that stay the same wherever an API is set up."""

from __future__ import annotations

import re

from cumulet.services.apigateway.errors import bad_request

TAGS = ("cumulet:custom-id", "_custom_id_")
"""Tags whose value becomes the id; the second is what tools know."""
_ID = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


def custom_id(tags: dict[str, str] | None) -> str | None:
    """The id that tags ask for; raises BadRequestException when it cannot be part of a host's name."""
    for tag in TAGS:
        if tags and (id := tags.get(tag)):
            if not _ID.fullmatch(id):
                raise bad_request(
                    f"The tag {tag} asks for the id {id!r}: use lower-case letters, digits and hyphens, at most 63."
                )
            return id
    return None
