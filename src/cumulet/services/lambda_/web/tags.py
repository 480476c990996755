"""Tags of web functions, and their resource policies."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from cumulet.api import lambda_web as api
from cumulet.kernel.call import Call
from cumulet.kernel.ids import new_id
from cumulet.policy.document import Grammar, PolicyError, parse
from cumulet.services.lambda_.web.errors import conflict, invalid, missing
from cumulet.services.lambda_.web.functions import check_tags
from cumulet.services.lambda_.web.model import WebFunction
from cumulet.services.lambda_.web.names import WebKey, key_of
from cumulet.services.lambda_.web.state import Web

_KIND = "resource policy"


async def tag_resource(web: Web, call: Call, request: api.TagResourceRequest) -> None:
    await _retag(web, call, request.resource, lambda tags: tags | request.tags)


async def untag_resource(web: Web, call: Call, request: api.UntagResourceRequest) -> None:
    gone = frozenset(request.tag_keys)
    await _retag(web, call, request.resource, lambda tags: {one: tags[one] for one in tags if one not in gone})


async def list_tags(web: Web, call: Call, request: api.ListTagsRequest) -> api.ListTagsResponse:
    return api.ListTagsResponse(tags=(await web.function(key_of(call, request.resource))).tags)


async def get_resource_policy(
    web: Web, call: Call, request: api.GetResourcePolicyRequest
) -> api.GetResourcePolicyResponse:
    key = key_of(call, request.resource_arn)
    function = _with_policy(key, await web.function(key))
    return api.GetResourcePolicyResponse(policy=function.policy, revision_id=function.policy_revision)


async def put_resource_policy(
    web: Web, call: Call, request: api.PutResourcePolicyRequest
) -> api.PutResourcePolicyResponse:
    key = key_of(call, request.resource_arn)
    _check_policy(key, request.policy)
    async with web.change(key) as tx:
        function = await web.function(key, tx)
        _check_revision(key, request.revision_id, function)
        function = replace(function, policy=request.policy, policy_revision=new_id())
        await web.store.put_function(tx, key, function)
    return api.PutResourcePolicyResponse(policy=function.policy, revision_id=function.policy_revision)


async def delete_resource_policy(web: Web, call: Call, request: api.DeleteResourcePolicyRequest) -> None:
    key = key_of(call, request.resource_arn)
    async with web.change(key) as tx:
        function = _with_policy(key, await web.function(key, tx))
        _check_revision(key, request.revision_id, function)
        await web.store.put_function(tx, key, replace(function, policy="", policy_revision=""))


async def _retag(web: Web, call: Call, arn: str, change: Callable[[dict[str, str]], dict[str, str]]) -> None:
    key = key_of(call, arn)
    async with web.change(key) as tx:
        function = await web.function(key, tx)
        tags = change(function.tags)
        check_tags(tags, web)
        await web.store.put_function(tx, key, replace(function, tags=tags))


def _with_policy(key: WebKey, function: WebFunction) -> WebFunction:
    if not function.policy:
        raise missing(_KIND, key.name)
    return function


def _check_revision(key: WebKey, wanted: str | None, function: WebFunction) -> None:
    if wanted is not None and wanted != function.policy_revision:
        raise conflict("The revision ID does not match the current policy.", _KIND, key.name)


def _check_policy(key: WebKey, text: str) -> None:
    """One that lets others do what Lambda does, to this function or its endpoints."""
    try:
        document = parse(text, Grammar.RESOURCE)
    except (PolicyError, RecursionError) as error:
        raise invalid(f"The policy is not valid: {error}") from error
    for statement in document.statements:
        if statement.principals is None and statement.not_principals is None:
            raise invalid("The policy is not valid: each statement needs a principal.")
        if any(one != "*" and not one.lower().startswith("lambda:") for one in statement.actions or ()):
            raise invalid("The policy is not valid: its actions must be Lambda's.")
        for resource in statement.resources or statement.not_resources or ():
            if resource not in {"*", key.arn} and not resource.startswith(key.arn + "/"):
                raise invalid(f"The policy is not valid: its resources must be {key.arn} or endpoints of it.")
