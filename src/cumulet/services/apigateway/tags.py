"""What tags may be."""

from __future__ import annotations

from cumulet.services.apigateway.errors import bad_request
from cumulet.services.apigateway.limits import Limits


def check_tags(tags: dict[str, str] | None, limits: Limits) -> None:
    """Raises BadRequestException."""
    if tags is None:
        return
    if len(tags) > limits.tags:
        raise bad_request(f"Too many tags were given: a resource can have {limits.tags}.")
    for name, value in tags.items():
        if not name or len(name) > 128 or len(value) > 256:
            raise bad_request("Invalid tag: a key has 1 to 128 characters, a value at most 256.")
        if name.lower().startswith("aws:"):
            raise bad_request("Invalid tag key: the prefix aws: is reserved.")
