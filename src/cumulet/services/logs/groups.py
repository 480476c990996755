"""Operations on log groups."""

from __future__ import annotations

from cumulet.api import logs as api
from cumulet.kernel.call import Call
from cumulet.services.logs.model import (
    Group,
    check_group_name,
    check_retention,
    check_tags,
    decode_page,
    encode_page,
    group_name,
    group_of_identifier,
)
from cumulet.services.logs.state import Logs
from cumulet.services.logs.store import new_key
from cumulet.storage.database import Conflict

_PAGE = 50


async def create_log_group(logs: Logs, call: Call, request: api.CreateLogGroupRequest) -> None:
    check_group_name(request.log_group_name)
    check_tags(request.tags or {})
    group = Group(
        id=new_key(),
        account=call.account,
        region=call.region,
        name=request.log_group_name,
        created=logs.now(),
        retention=None,
        kind=request.log_group_class or "STANDARD",
        kms_key=request.kms_key_id,
        protected=bool(request.deletion_protection_enabled),
        tags=request.tags or {},
    )
    try:
        await logs.store.add_group(group)
    except Conflict as error:
        raise api.ResourceAlreadyExistsException("The specified log group already exists") from error


async def delete_log_group(logs: Logs, call: Call, request: api.DeleteLogGroupRequest) -> None:
    group = await logs.group(call, request.log_group_name)
    if group.protected:
        raise api.ValidationException(
            "The specified log group is protected from deletion. Disable deletion protection, then try again."
        )
    await logs.store.remove_group(group)
    logs.swept.set()


async def describe_log_groups(
    logs: Logs, call: Call, request: api.DescribeLogGroupsRequest
) -> api.DescribeLogGroupsResponse:
    if request.log_group_name_prefix is not None and request.log_group_name_pattern is not None:
        raise api.InvalidParameterException(
            "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters."
        )
    if request.log_group_identifiers:
        return await _described(logs, call, request.log_group_identifiers)
    limit = request.limit or _PAGE
    found = await logs.store.groups(
        call.account,
        call.region,
        prefix=request.log_group_name_prefix or "",
        pattern=request.log_group_name_pattern or "",
        kind=request.log_group_class or "",
        after=decode_page(request.next_token, str) if request.next_token else "",
        limit=limit + 1,
    )
    page = found[:limit]
    return api.DescribeLogGroupsResponse(
        log_groups=[_listed(group, size, searched=request.log_group_name_pattern is not None) for group, size in page],
        next_token=encode_page(page[-1][0].name) if len(found) > limit else None,
    )


async def _described(logs: Logs, call: Call, identifiers: list[str]) -> api.DescribeLogGroupsResponse:
    names = sorted({group_of_identifier(call, identifier) for identifier in identifiers})
    groups = []
    for name in names:
        found = await logs.store.groups(call.account, call.region, prefix=name, pattern="", kind="", after="", limit=1)
        groups += [_to_wire(group, size) for group, size in found if group.name == name]
    return api.DescribeLogGroupsResponse(log_groups=groups)


async def list_log_groups(logs: Logs, call: Call, request: api.ListLogGroupsRequest) -> api.ListLogGroupsResponse:
    limit = request.limit or _PAGE
    found = await logs.store.groups(
        call.account,
        call.region,
        prefix="",
        pattern=request.log_group_name_pattern or "",
        kind=request.log_group_class or "",
        after=decode_page(request.next_token, str) if request.next_token else "",
        limit=limit + 1,
    )
    page = found[:limit]
    return api.ListLogGroupsResponse(
        log_groups=[
            api.LogGroupSummary(log_group_name=group.name, log_group_arn=group.arn, log_group_class=group.kind)
            for group, _ in page
        ],
        next_token=encode_page(page[-1][0].name) if len(found) > limit else None,
    )


async def put_retention_policy(logs: Logs, call: Call, request: api.PutRetentionPolicyRequest) -> None:
    check_retention(request.retention_in_days)
    await logs.store.set_retention(await logs.group(call, request.log_group_name), request.retention_in_days)
    logs.swept.set()


async def delete_retention_policy(logs: Logs, call: Call, request: api.DeleteRetentionPolicyRequest) -> None:
    await logs.store.set_retention(await logs.group(call, request.log_group_name), None)


async def associate_kms_key(logs: Logs, call: Call, request: api.AssociateKmsKeyRequest) -> None:
    name = group_name(call, request.log_group_name, request.resource_identifier)
    await logs.store.set_kms_key(await logs.group(call, name), request.kms_key_id)


async def disassociate_kms_key(logs: Logs, call: Call, request: api.DisassociateKmsKeyRequest) -> None:
    name = group_name(call, request.log_group_name, request.resource_identifier)
    await logs.store.set_kms_key(await logs.group(call, name), None)


async def put_log_group_deletion_protection(
    logs: Logs, call: Call, request: api.PutLogGroupDeletionProtectionRequest
) -> None:
    group = await logs.group(call, group_of_identifier(call, request.log_group_identifier))
    await logs.store.set_protected(group, request.deletion_protection_enabled)


def _listed(group: Group, size: int, *, searched: bool) -> api.LogGroup:
    """A search by pattern goes through an index of AWS's that does not know these members."""
    found = _to_wire(group, size)
    if searched:
        found.stored_bytes = found.deletion_protection_enabled = None
    return found


def _to_wire(group: Group, size: int) -> api.LogGroup:
    return api.LogGroup(
        log_group_name=group.name,
        creation_time=group.created,
        retention_in_days=group.retention,
        metric_filter_count=0,
        arn=f"{group.arn}:*",
        stored_bytes=size,
        kms_key_id=group.kms_key,
        log_group_class=group.kind,
        log_group_arn=group.arn,
        deletion_protection_enabled=group.protected,
    )
