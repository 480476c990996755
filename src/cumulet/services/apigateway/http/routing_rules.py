"""Operations on routing rules of custom domains: APIs chosen by headers and paths.

https://docs.aws.amazon.com/apigateway/latest/developerguide/rest-api-routing-rules.html
"""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec
from msgspec import Struct

from cumulet.api import apigatewayv2 as api
from cumulet.kernel.call import Call
from cumulet.kernel.ids import short_id
from cumulet.services.apigateway.domains.store import Domain, RoutingRule
from cumulet.services.apigateway.http.domains import need
from cumulet.services.apigateway.http.errors import bad, conflict
from cumulet.services.apigateway.http.mapping_operations import check_stage
from cumulet.services.apigateway.http.paging import page
from cumulet.services.apigateway.http.state import HttpApis
from cumulet.storage.database import Transaction

_LAST = 1_000_000


class _Body(Struct):
    """What is kept of a rule, in the members' own names."""

    actions: list[api.RoutingRuleAction]
    conditions: list[api.RoutingRuleCondition]


@cache
def _decoder() -> msgspec.json.Decoder[_Body]:
    return msgspec.json.Decoder(_Body)


async def create_routing_rule(
    http: HttpApis, call: Call, request: api.CreateRoutingRuleRequest
) -> api.CreateRoutingRuleResponse:
    async with http.db.transaction() as tx:
        domain = await need(http, call, request.domain_name, tx, request.domain_name_id)
        rules = await http.domains.store.rules(domain.key, tx)
        if len(rules) >= http.limits.routing_rules:
            raise bad("Maximum number of routing rules for this domain name has been reached.")
        rule = await _put(http, call, tx, domain, short_id(10), request)
    return api.CreateRoutingRuleResponse(**_members(call, domain, rule))


async def get_routing_rule(
    http: HttpApis, call: Call, request: api.GetRoutingRuleRequest
) -> api.GetRoutingRuleResponse:
    domain = await need(http, call, request.domain_name, None, request.domain_name_id)
    rule = await _need(http, domain, request.routing_rule_id)
    return api.GetRoutingRuleResponse(**_members(call, domain, rule))


async def list_routing_rules(
    http: HttpApis, call: Call, request: api.ListRoutingRulesRequest
) -> api.ListRoutingRulesResponse:
    domain = await need(http, call, request.domain_name, None, request.domain_name_id)

    async def fetch(after: str, limit: int) -> list[RoutingRule]:
        rules = sorted(await http.domains.store.rules(domain.key), key=lambda rule: rule.priority)
        return [rule for rule in rules if rule.priority > int(after or 0)][:limit]

    items, token = await page(fetch, lambda rule: str(rule.priority), request.max_results, request.next_token)
    shown = [api.RoutingRule(**_members(call, domain, rule)) for rule in items]
    return api.ListRoutingRulesResponse(routing_rules=shown, next_token=token)


async def put_routing_rule(
    http: HttpApis, call: Call, request: api.PutRoutingRuleRequest
) -> api.PutRoutingRuleResponse:
    async with http.db.transaction() as tx:
        domain = await need(http, call, request.domain_name, tx, request.domain_name_id)
        await _need(http, domain, request.routing_rule_id, tx)
        rule = await _put(http, call, tx, domain, request.routing_rule_id, request)
    return api.PutRoutingRuleResponse(**_members(call, domain, rule))


async def delete_routing_rule(http: HttpApis, call: Call, request: api.DeleteRoutingRuleRequest) -> None:
    async with http.db.transaction() as tx:
        domain = await need(http, call, request.domain_name, tx, request.domain_name_id)
        await _need(http, domain, request.routing_rule_id, tx)
        await http.domains.store.delete_rule(tx, domain.key, request.routing_rule_id)
        http.domains.changed(tx)


async def _put(
    http: HttpApis,
    call: Call,
    tx: Transaction,
    domain: Domain,
    id: str,
    request: api.CreateRoutingRuleRequest | api.PutRoutingRuleRequest,
) -> RoutingRule:
    """Check and keep a rule. Raises BadRequestException and ConflictException."""
    _check(request)
    for action in request.actions:
        await check_stage(http, call, tx, action.invoke_api.api_id, action.invoke_api.stage)
    for other in await http.domains.store.rules(domain.key, tx):
        if other.priority == request.priority and other.id != id:
            raise conflict(f"A routing rule with the priority {request.priority} already exists for this domain name")
    body = msgspec.json.encode(_Body(request.actions, request.conditions))
    rule = RoutingRule(id, request.priority, body)
    await http.domains.store.put_rule(tx, domain.key, rule)
    http.domains.changed(tx)
    return rule


def _check(request: api.CreateRoutingRuleRequest | api.PutRoutingRuleRequest) -> None:
    if not 1 <= request.priority <= _LAST:
        raise bad(f"Priority must be between 1 and {_LAST}")
    if len(request.actions) != 1:
        raise bad("A routing rule must have exactly one action")
    headers = [
        one for condition in request.conditions if condition.match_headers for one in condition.match_headers.any_of
    ]
    paths = [
        one
        for condition in request.conditions
        if condition.match_base_paths
        for one in condition.match_base_paths.any_of
    ]
    if len([one for one in request.conditions if one.match_headers]) > 2:
        raise bad("A routing rule can have at most two conditions on headers")
    if len([one for one in request.conditions if one.match_base_paths]) > 1:
        raise bad("A routing rule can have at most one condition on base paths")
    if any(not one.match_headers and not one.match_base_paths for one in request.conditions):
        raise bad("A condition must match headers or base paths")
    if any(len(one.header) > 40 or len(one.value_glob) > 128 for one in headers):
        raise bad("A header's name has at most 40 characters, its value at most 128")
    if any("//" in path or "?" in path for path in paths):
        raise bad("A base path cannot have empty parts or queries")


async def _need(http: HttpApis, domain: Domain, id: str, within: Transaction | None = None) -> RoutingRule:
    for rule in await http.domains.store.rules(domain.key, within):
        if rule.id == id:
            return rule
    raise api.NotFoundException("Invalid routing rule identifier specified", fields={"ResourceType": "RoutingRule"})


def _members(call: Call, domain: Domain, rule: RoutingRule) -> dict[str, Any]:
    body = _decoder().decode(rule.body)
    name = f"{domain.key.name}+{domain.key.id}" if domain.key.id else domain.key.name
    return {
        "actions": body.actions,
        "conditions": body.conditions,
        "priority": rule.priority,
        "routing_rule_id": rule.id,
        "routing_rule_arn": f"arn:aws:apigateway:{call.region}:{call.account}:/domainnames/{name}/routingrules/{rule.id}",
    }
