"""What API Gateway v2 says when it refuses, in its own words."""

from __future__ import annotations

from cumulet.api import apigatewayv2 as api


def bad(message: str) -> api.BadRequestException:
    """A request that is not valid (400)."""
    return api.BadRequestException(message)


def conflict(message: str) -> api.ConflictException:
    """A request that does not fit what is there (409)."""
    return api.ConflictException(message)


def no_api(account: str, api_id: str) -> api.NotFoundException:
    """There is no such API in this account and region (404)."""
    return api.NotFoundException(f"Invalid API identifier specified {account}:{api_id}", fields={"ResourceType": "Api"})


def missing(label: str, id: str = "") -> api.NotFoundException:
    """There is no such part of an API (404); `label` is its kind as AWS spells it, such as `Route`."""
    return api.NotFoundException(f"Invalid {label} identifier specified {id}".rstrip(), fields={"ResourceType": label})
