"""Tags of functions, and of whatever else has registered itself with the tag store."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from cumulet.api import lambda_ as api
from cumulet.kernel.call import Call
from cumulet.kernel.errors import NotImplementedHere
from cumulet.kernel.ids import new_id
from cumulet.services.lambda_.errors import invalid
from cumulet.services.lambda_.limits import Limits
from cumulet.services.lambda_.names import LATEST, FunctionKey, refer
from cumulet.services.lambda_.state import Lambda
from cumulet.services.lambda_.tag_store import Check

_FUNCTION = "function"

Tags = dict[str, str]


async def tag_resource(lambda_: Lambda, call: Call, request: api.TagResourceRequest) -> None:
    if not request.tags:
        raise invalid("An error occurred and the request cannot be processed.")
    await _change(lambda_, call, request.resource, lambda tags: tags | request.tags)


async def untag_resource(lambda_: Lambda, call: Call, request: api.UntagResourceRequest) -> None:
    gone = frozenset(request.tag_keys)
    await _change(
        lambda_,
        call,
        request.resource,
        lambda tags: {name: value for name, value in tags.items() if name not in gone},
    )


async def list_tags(lambda_: Lambda, call: Call, request: api.ListTagsRequest) -> api.ListTagsResponse:
    arn = request.resource
    if _kind(arn) == _FUNCTION:
        return api.ListTagsResponse(tags=(await lambda_.function(_function(call, arn))).tags)
    await _check(lambda_, _kind(arn))(call, arn, None)
    return api.ListTagsResponse(tags=await lambda_.tags.get(arn))


def check_tags(tags: Tags, limits: Limits) -> None:
    """Raises InvalidParameterValueException."""
    if len(tags) > limits.tags:
        raise invalid("Number of tags exceeds resource tag limit.")


async def _change(lambda_: Lambda, call: Call, arn: str, change: Callable[[Tags], Tags]) -> None:
    if _kind(arn) == _FUNCTION:
        await _change_function(lambda_, _function(call, arn), change)
        return
    check = _check(lambda_, _kind(arn))
    async with lambda_.db.transaction() as tx:
        await check(call, arn, tx)
        tags = change(await lambda_.tags.get(arn, tx))
        check_tags(tags, lambda_.limits)
        await lambda_.tags.put(tx, arn, tags)


async def _change_function(lambda_: Lambda, key: FunctionKey, change: Callable[[Tags], Tags]) -> None:
    """A function's tags are a part of it: its revision changes with them."""
    async with lambda_.change(key) as tx:
        function = await lambda_.function(key, tx)
        tags = change(function.tags)
        check_tags(tags, lambda_.limits)
        await lambda_.store.put_function(tx, key, replace(function, tags=tags))
        latest = await lambda_.store.version(key, LATEST, tx)
        if latest is not None:
            await lambda_.store.put_version(tx, key, latest.changed(revision_id=new_id()))


def _kind(arn: str) -> str:
    """`function`, `event-source-mapping`, ...; the model has checked that it is an ARN of Lambda."""
    return arn.split(":")[5]


def _check(lambda_: Lambda, kind: str) -> Check:
    check = lambda_.tags.kinds.get(kind)
    if check is None:
        raise NotImplementedHere(f"Tags of a {kind} are not implemented yet. See docs/services/lambda.md.")
    return check


def _function(call: Call, arn: str) -> FunctionKey:
    reference = refer(call, arn)
    if reference.qualifier is not None:
        raise invalid("Tags on function aliases and versions are not supported. Please specify a function ARN.")
    return reference.key
