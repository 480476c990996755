"""Tags of log groups, through both of AWS's APIs: by group name (the older), and by ARN."""

from __future__ import annotations

from cumulet.api import logs as api
from cumulet.kernel.call import Call
from cumulet.services.logs.model import Group, check_tags, group_of_identifier
from cumulet.services.logs.state import Logs


async def tag_log_group(logs: Logs, call: Call, request: api.TagLogGroupRequest) -> None:
    await _add(logs, await logs.group(call, request.log_group_name), request.tags)


async def untag_log_group(logs: Logs, call: Call, request: api.UntagLogGroupRequest) -> None:
    await _remove(logs, await logs.group(call, request.log_group_name), request.tags)


async def list_tags_log_group(
    logs: Logs, call: Call, request: api.ListTagsLogGroupRequest
) -> api.ListTagsLogGroupResponse:
    return api.ListTagsLogGroupResponse(tags=(await logs.group(call, request.log_group_name)).tags)


async def tag_resource(logs: Logs, call: Call, request: api.TagResourceRequest) -> None:
    await _add(logs, await _resource(logs, call, request.resource_arn), request.tags)


async def untag_resource(logs: Logs, call: Call, request: api.UntagResourceRequest) -> None:
    await _remove(logs, await _resource(logs, call, request.resource_arn), request.tag_keys)


async def list_tags_for_resource(
    logs: Logs, call: Call, request: api.ListTagsForResourceRequest
) -> api.ListTagsForResourceResponse:
    return api.ListTagsForResourceResponse(tags=(await _resource(logs, call, request.resource_arn)).tags)


async def _resource(logs: Logs, call: Call, arn: str) -> Group:
    return await logs.group(call, group_of_identifier(call, arn))


async def _add(logs: Logs, group: Group, tags: dict[str, str]) -> None:
    def more(held: dict[str, str]) -> dict[str, str]:
        check_tags(held | tags)
        return held | tags

    await logs.store.change_tags(group, more)


async def _remove(logs: Logs, group: Group, keys: list[str]) -> None:
    await logs.store.change_tags(group, lambda held: {key: value for key, value in held.items() if key not in keys})
