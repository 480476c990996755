"""Answers that a stage keeps: by method and the parameters that make a difference, as long as the method's settings say.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-caching.html
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from cumulet.kernel.errors import AwsError
from cumulet.kernel.web import Asked, WebAnswer
from cumulet.services.apigateway.rest.pipeline.exchange import Exchange, Refused
from cumulet.services.apigateway.rest.pipeline.integrations.plan import Plan

INVALIDATE = "execute-api:InvalidateCache"
_LARGEST = 1_048_576
_LIMIT = 64 << 20
_OVERHEAD = 512
_WARNING = '199 - "cache-control header is ignored because of missing permissions"'

Key = tuple[Any, ...]


class Kept(Struct):
    """An answer, and until when it is good."""

    until: float
    status: int
    headers: list[tuple[str, str]]
    body: bytes
    size: int


class ResponseCache:
    """Answers of all stages of a node, 64 MB at most; the least recently used go first. Keys begin with API and stage."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._kept: OrderedDict[Key, Kept] = OrderedDict()
        self._size = 0

    def get(self, key: Key) -> WebAnswer | None:
        """The answer that is kept, if it is still good."""
        kept = self._kept.get(key)
        if kept is None:
            return None
        if kept.until <= self._now():
            self._drop(key)
            return None
        self._kept.move_to_end(key)
        return WebAnswer(status=kept.status, headers=list(kept.headers), body=kept.body)

    def put(self, key: Key, answer: WebAnswer, seconds: float) -> None:
        """Keep an answer whose body is whole and not over 1 MB."""
        body = answer.body
        if not isinstance(body, bytes) or len(body) > _LARGEST or seconds <= 0:
            return
        self._drop(key)
        size = _OVERHEAD + len(body) + sum(len(name) + len(value) for name, value in answer.headers) + _length(key)
        self._kept[key] = Kept(self._now() + seconds, answer.status, list(answer.headers), body, size)
        self._size += size
        while self._size > _LIMIT:
            self._drop(next(iter(self._kept)))

    def flush(self, api_id: str, stage: str) -> None:
        """FlushStageCache."""
        for key in [key for key in self._kept if key[:2] == (api_id, stage)]:
            self._drop(key)

    def _drop(self, key: Key) -> None:
        kept = self._kept.pop(key, None)
        if kept is not None:
            self._size -= kept.size


def _length(key: Any) -> int:
    """Of all texts of a key."""
    return len(key) if isinstance(key, str) else sum(map(_length, key)) if isinstance(key, tuple) else 0


async def find(ex: Exchange, plan: Plan) -> WebAnswer | None:
    """The answer that is kept for the request, unless it asks for a new one and may. Sets the key to keep a new one by."""
    ex.cache_key = key = _key(ex, plan)
    if "max-age=0" in (ex.header("cache-control") or "").replace(" ", "").lower() and await _may_invalidate(ex):
        return None
    return ex.front.responses.get(key)


def keep(ex: Exchange, answer: WebAnswer) -> None:
    """Keep a good answer."""
    if ex.cache_key is not None and answer.status < 300:
        ex.front.responses.put(ex.cache_key, answer, ex.method.settings.ttl)


def _key(ex: Exchange, plan: Plan) -> Key:
    values = tuple(_value(ex, place, name) for place, name in plan.cache_keys)
    where = plan.cache_namespace or ex.method.resource_id
    canary = ex.program.is_canary and ex.program.own_cache
    accept = ex.header("accept") or "" if len(plan.responses) > 0 else ""
    return ex.program.api_id, ex.program.stage_name, canary, where, ex.request.method, values, accept


def _value(ex: Exchange, place: str, name: str) -> tuple[str, ...]:
    if place.endswith("header"):
        found = ex.headers.get(name)
        return tuple(found[1]) if found is not None else ()
    if place.endswith("querystring"):
        return tuple(ex.query.get(name, ()))
    return (ex.path_params.get(name, ""),)


async def _may_invalidate(ex: Exchange) -> bool:
    """Raises Refused (403) where the method's settings say so."""
    settings = ex.method.settings
    if not settings.cache_control_authorized:
        return True
    try:
        credential = ex.credential or await ex.visit.identify()
    except AwsError:
        credential = None
    if credential is not None and credential.access_key:
        ex.credential, before = credential, ex.principal
        ex.principal = credential.principal
        asked = Asked(action=INVALIDATE, resource=ex.resource_arn, policy=ex.program.policy)
        judgement = await ex.visit.judge(ex.caller(), credential, asked)
        ex.principal = before
        if judgement.allowed:
            return True
    if settings.unauthorized_cache_control == "FAIL_WITH_403":
        raise Refused("ACCESS_DENIED", "User is not authorized to invalidate the cache")
    if settings.unauthorized_cache_control == "SUCCEED_WITH_RESPONSE_HEADER":
        ex.warning = _WARNING
    return False
