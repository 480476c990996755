"""Operations on tags."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cumulet.api import stepfunctions as api
from cumulet.kernel.call import Call
from cumulet.services.stepfunctions.arns import parse_any
from cumulet.services.stepfunctions.state import StepFunctions

_MOST = 50


def read(tags: Iterable[api.Tag], arn: str = "") -> dict[str, str]:
    """The tags of a request by key; raises TooManyTags."""
    found = {tag.key or "": tag.value or "" for tag in tags}
    check_number(found, arn)
    return found


def check_number(tags: Mapping[str, str], arn: str) -> None:
    """Raises TooManyTags."""
    if len(tags) > _MOST:
        raise api.TooManyTags(
            f"Too Many Tags: '{arn}'" if arn else "Too Many Tags", fields={"resourceName": arn} if arn else None
        )


async def tag_resource(state: StepFunctions, call: Call, request: api.TagResourceInput) -> api.TagResourceOutput:
    await _check(state, call, request.resource_arn)
    given = read(request.tags, request.resource_arn)

    def change(tags: dict[str, str]) -> dict[str, str]:
        check_number(tags | given, request.resource_arn)
        return tags | given

    await state.machines.tags.edit(request.resource_arn, change)
    return api.TagResourceOutput()


async def untag_resource(state: StepFunctions, call: Call, request: api.UntagResourceInput) -> api.UntagResourceOutput:
    await _check(state, call, request.resource_arn)
    gone = frozenset(request.tag_keys)
    await state.machines.tags.edit(
        request.resource_arn, lambda tags: {key: value for key, value in tags.items() if key not in gone}
    )
    return api.UntagResourceOutput()


async def list_tags_for_resource(
    state: StepFunctions, call: Call, request: api.ListTagsForResourceInput
) -> api.ListTagsForResourceOutput:
    await _check(state, call, request.resource_arn)
    found = await state.machines.tags.find(request.resource_arn)
    return api.ListTagsForResourceOutput(tags=[api.Tag(key=key, value=value) for key, value in found.items()])


async def _check(state: StepFunctions, call: Call, text: str) -> None:
    """Machines and activities have tags; versions and aliases have none. Raises InvalidArn, ResourceNotFound."""
    arn, kind = parse_any(text, state.machines.tagged)
    if (arn.account, arn.region) != (call.account, call.region) or not await state.machines.tagged[kind](arn):
        raise api.ResourceNotFound(f"Resource not found: '{text}'", fields={"resourceName": text})
