"""Tags of functions."""

from msgspec.structs import replace

from cumulet.api import lambda_ as api
from cumulet.kernel.call import Call
from cumulet.kernel.errors import NotImplementedHere
from cumulet.services.lambda_.errors import invalid
from cumulet.services.lambda_.limits import Limits
from cumulet.services.lambda_.names import FunctionKey, refer
from cumulet.services.lambda_.state import Lambda


async def tag_resource(lambda_: Lambda, call: Call, request: api.TagResourceRequest) -> None:
    key = _tagged(call, request.resource)
    if not request.tags:
        raise invalid("An error occurred and the request cannot be processed.")
    async with lambda_.change(key) as tx:
        function = await lambda_.function(key, tx)
        tags = function.tags | request.tags
        check_tags(tags, lambda_.limits)
        await lambda_.store.put_function(tx, key, replace(function, tags=tags))


async def untag_resource(lambda_: Lambda, call: Call, request: api.UntagResourceRequest) -> None:
    key = _tagged(call, request.resource)
    async with lambda_.change(key) as tx:
        function = await lambda_.function(key, tx)
        tags = {name: value for name, value in function.tags.items() if name not in request.tag_keys}
        await lambda_.store.put_function(tx, key, replace(function, tags=tags))


async def list_tags(lambda_: Lambda, call: Call, request: api.ListTagsRequest) -> api.ListTagsResponse:
    key = _tagged(call, request.resource)
    return api.ListTagsResponse(tags=(await lambda_.function(key)).tags)


def check_tags(tags: dict[str, str], limits: Limits) -> None:
    """Raises InvalidParameterValueException."""
    if len(tags) > limits.tags:
        raise invalid("Number of tags exceeds resource tag limit.")


def _tagged(call: Call, resource: str) -> FunctionKey:
    if ":function:" not in resource:
        raise NotImplementedHere("Only functions can be tagged yet. See docs/services/lambda.md.")
    reference = refer(call, resource)
    if reference.qualifier is not None:
        raise invalid("Tags on function aliases and versions are not supported. Please specify a function ARN.")
    return reference.key
