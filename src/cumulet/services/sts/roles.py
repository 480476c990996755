"""Assuming a role.

Whether the role's trust policy lets the caller in is decided where every permission is, before the operation runs; a
role that is not there is therefore only met here when permissions are not enforced.
"""

from __future__ import annotations

from cumulet.api import sts as api
from cumulet.kernel.call import Call, Principal
from cumulet.kernel.ids import derived_id
from cumulet.kernel.service import prompt
from cumulet.services.sts.model import (
    CHAINED_SESSION,
    access_denied,
    invalid,
    packed_size,
    role_in,
    session_policies,
    session_tags,
)
from cumulet.services.sts.state import Sts, wire_credentials


@prompt
async def assume_role(sts: Sts, call: Call, request: api.AssumeRoleRequest) -> api.AssumeRoleResponse:
    account, name = role_in(request.role_arn)
    if request.token_code is not None:
        raise access_denied("MultiFactorAuthentication failed with invalid MFA one time pass code.")
    role = await sts.find_role(request.role_arn)
    duration = request.duration_seconds or 3600
    _check_duration(
        duration, chained=call.principal.kind == "assumed-role", longest=role.max_session if role else 43200
    )
    caller = sts.sessions.recent(call.access_key)
    handed_on = caller.extra["transitive"] if caller is not None else ()
    inherited = {key: caller.session_tags[key] for key in handed_on} if caller is not None else {}
    tags, transitive = session_tags(request.tags, request.transitive_tag_keys, inherited)
    policies = session_policies(request.policy, request.policy_arns)
    source_identity = _source_identity(request, caller.source_identity if caller is not None else "")
    id = role.id if role is not None else derived_id("AROA", request.role_arn)
    principal = Principal(
        "assumed-role",
        f"arn:aws:sts::{account}:assumed-role/{name}/{request.role_session_name}",
        f"{id}:{request.role_session_name}",
        account,
    )
    packed = packed_size(policies, tags)
    issued = sts.issue(
        principal,
        duration,
        role_arn=request.role_arn,
        policies=policies,
        tags=tags,
        transitive=transitive,
        source_identity=source_identity,
    )
    return api.AssumeRoleResponse(
        credentials=wire_credentials(issued),
        assumed_role_user=api.AssumedRoleUser(assumed_role_id=principal.id, arn=principal.arn),
        packed_policy_size=packed,
        source_identity=source_identity or None,
    )


def _check_duration(duration: int, *, chained: bool, longest: int) -> None:
    if chained and duration > CHAINED_SESSION:
        raise invalid(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining"
        )
    if duration > longest:
        raise invalid("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")


def _source_identity(request: api.AssumeRoleRequest, inherited: str) -> str:
    """A source identity, once set, stays the same through every role that is assumed from there."""
    if inherited and request.source_identity not in (None, inherited):
        raise access_denied(
            "The SourceIdentity cannot be changed once it is set for the session that assumes the role."
        )
    return request.source_identity or inherited
