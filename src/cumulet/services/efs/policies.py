"""Policies of file systems: who may mount them, and for what."""

from __future__ import annotations

import json

from msgspec.structs import replace

from cumulet.api import efs as api
from cumulet.kernel.call import Call
from cumulet.policy.compiled import Request, compile_policy
from cumulet.policy.document import Grammar, PolicyError
from cumulet.services.efs.errors import refusal
from cumulet.services.efs.model import FileSystem, short
from cumulet.services.efs.state import Efs, check_available, place_of

_CLIENTS = ("ClientMount", "ClientWrite", "ClientRootAccess")


async def put_file_system_policy(
    efs: Efs, call: Call, request: api.PutFileSystemPolicyRequest
) -> api.FileSystemPolicyDescription:
    now = efs.clock.now()

    def change(found: FileSystem) -> FileSystem:
        check_available(found, now)
        _check(call, request.policy, found, bypass=bool(request.bypass_policy_lockout_safety_check))
        return replace(found, policy=request.policy)

    changed = await efs.store.edit_file_system(place_of(call), short(request.file_system_id), change)
    efs.announce(changed.id)
    return api.FileSystemPolicyDescription(file_system_id=changed.id, policy=changed.policy)


async def describe_file_system_policy(
    efs: Efs, call: Call, request: api.DescribeFileSystemPolicyRequest
) -> api.FileSystemPolicyDescription:
    found = await efs.file_system(call, request.file_system_id)
    if found.policy is None:
        raise refusal(api.PolicyNotFound, f"File system '{found.id}' has no policy.")
    return api.FileSystemPolicyDescription(file_system_id=found.id, policy=found.policy)


async def delete_file_system_policy(efs: Efs, call: Call, request: api.DeleteFileSystemPolicyRequest) -> None:
    now = efs.clock.now()

    def change(found: FileSystem) -> FileSystem:
        check_available(found, now)
        return replace(found, policy=None)

    changed = await efs.store.edit_file_system(place_of(call), short(request.file_system_id), change)
    efs.announce(changed.id)


def effective(found: FileSystem) -> str:
    """The policy that counts: one that lets every client of its account in, while nobody has set another. On AWS it says every
    client, and the network keeps other accounts away; there is none here.

    https://docs.aws.amazon.com/efs/latest/ug/iam-access-control-nfs-efs.html
    """
    if found.policy is not None:
        return found.policy
    actions = [f"elasticfilesystem:{name}" for name in _CLIENTS]
    own = {"StringEquals": {"aws:PrincipalAccount": found.place.account}}
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": actions,
        "Resource": found.arn,
        "Condition": own,
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _check(call: Call, text: str, found: FileSystem, *, bypass: bool) -> None:
    """Raises InvalidPolicyException for what is no policy, and for one that denies who sets it to set another."""
    try:
        compiled = compile_policy(text, Grammar.RESOURCE, found.arn)
    except PolicyError as error:
        raise refusal(api.InvalidPolicyException, f"The policy of {found.id} is malformed: {error}") from error
    asked = Request(call.principal, "elasticfilesystem:PutFileSystemPolicy", found.arn, lambda _: None, "")
    if not bypass and compiled.judge(asked).denied is not None:
        raise refusal(
            api.InvalidPolicyException,
            f"The policy of {found.id} would deny you PutFileSystemPolicy in the future; BypassPolicyLockoutSafetyCheck lets it.",
        )
