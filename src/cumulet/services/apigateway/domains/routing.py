"""Where a request to a custom domain leads: by its routing rules, by its mappings, or by both in turn.

https://docs.aws.amazon.com/apigateway/latest/developerguide/rest-api-routing-mode.html
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from cumulet.services.apigateway.domains.hosts import Host
from cumulet.services.apigateway.domains.store import RoutingRule

RULES_ONLY = "ROUTING_RULE_ONLY"
RULES_FIRST = "ROUTING_RULE_THEN_BASE_PATH_MAPPING"


class Led(NamedTuple):
    """Which API and stage, the path from there on, and the base path that was taken off (no slashes around it).

    An empty stage: the path's first part names it.
    """

    api_id: str
    stage: str
    path: str
    base_path: str


def lead(host: Host, path: str, headers: Mapping[str, str]) -> Led | None:
    """Where a request leads; None when nowhere. `headers` have lower-case names."""
    mode = host.domain.body.routing_mode or "BASE_PATH_MAPPING_ONLY"
    if mode in {RULES_ONLY, RULES_FIRST}:
        for rule in sorted(host.rules, key=lambda rule: rule.priority):
            if (led := _by_rule(rule, path, headers)) is not None:
                return led
        if mode == RULES_ONLY:
            return None
    found = host.match(path)
    if found is None:
        return None
    mapping, rest = found
    return Led(mapping.api, mapping.stage, rest, mapping.path)


def _by_rule(rule: RoutingRule, path: str, headers: Mapping[str, str]) -> Led | None:
    body = _document(rule.body)
    base = ""
    for condition in body.get("conditions") or ():
        if (paths := condition.get("matchBasePaths")) is not None:
            matched = _base_path(paths.get("anyOf") or [], path)
            if matched is None:
                return None
            base = matched
        if (wanted := condition.get("matchHeaders")) is not None and not _has_header(
            wanted.get("anyOf") or [], headers
        ):
            return None
    for action in body.get("actions") or ():
        invoke = action.get("invokeApi")
        if invoke is not None:
            rest = path[len(base) + 1 :] or "/" if base and invoke.get("stripBasePath") else path
            return Led(invoke.get("apiId", ""), invoke.get("stage", ""), rest, base)
    return None


@lru_cache(1024)
def _document(body: bytes) -> dict[str, Any]:
    document = msgspec.json.decode(body)
    return document if isinstance(document, dict) else {}


def _base_path(paths: list[str], path: str) -> str | None:
    """The longest of the base paths that the path begins with."""
    for base in sorted([each.strip("/") for each in paths], key=len, reverse=True):
        if path == f"/{base}" or path.startswith(f"/{base}/"):
            return base
    return None


def _has_header(wanted: list[dict[str, str]], headers: Mapping[str, str]) -> bool:
    """Values may begin or end with `*`, and have it in the middle of other text."""
    return any(_fits(each.get("valueGlob", ""), headers.get(each.get("header", "").lower())) for each in wanted)


def _fits(glob: str, value: str | None) -> bool:
    if value is None:
        return False
    pieces = glob.split("*")
    if len(pieces) == 1:
        return value == glob
    if not (value.startswith(pieces[0]) and value.endswith(pieces[-1])) or len(value) < len(pieces[0]) + len(
        pieces[-1]
    ):
        return False
    at, end = len(pieces[0]), len(value) - len(pieces[-1])
    for piece in pieces[1:-1]:
        found = value.find(piece, at, end)
        if found < 0:
            return False
        at = found + len(piece)
    return True
