"""Temporary credentials of a user: GetSessionToken and GetFederationToken."""

from __future__ import annotations

from cumulet.api import sts as api
from cumulet.kernel.call import Call, Principal
from cumulet.kernel.errors import AwsError
from cumulet.services.sts.model import access_denied, packed_size, session_policies, session_tags
from cumulet.services.sts.state import Sts, is_session, wire_credentials

_DEFAULT = 43_200
_LONGEST_FOR_ROOT = 3_600


async def get_session_token(sts: Sts, call: Call, request: api.GetSessionTokenRequest) -> api.GetSessionTokenResponse:
    _check_caller(sts, call, "GetSessionToken")
    if request.token_code is not None:
        raise access_denied("MultiFactorAuthentication failed with invalid MFA one time pass code.")
    issued = sts.issue(call.principal, _duration(call, request.duration_seconds))
    return api.GetSessionTokenResponse(credentials=wire_credentials(issued))


async def get_federation_token(
    sts: Sts, call: Call, request: api.GetFederationTokenRequest
) -> api.GetFederationTokenResponse:
    _check_caller(sts, call, "GetFederationToken")
    tags, _ = session_tags(request.tags, None, {})
    policies = session_policies(request.policy, request.policy_arns)
    packed = packed_size(policies, tags)
    user = Principal(
        "federated-user",
        f"arn:aws:sts::{call.account}:federated-user/{request.name}",
        f"{call.account}:{request.name}",
        call.account,
    )
    issued = sts.issue(
        user,
        _duration(call, request.duration_seconds),
        role_arn=call.principal.arn,
        policies=policies or (_NOTHING,),
        tags=tags,
    )
    return api.GetFederationTokenResponse(
        credentials=wire_credentials(issued),
        federated_user=api.FederatedUser(federated_user_id=user.id, arn=user.arn),
        packed_policy_size=packed or 0,
    )


# A federated user without a policy has no permissions but those resource policies give it.
_NOTHING = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"none:none","Resource":"*"}]}'


def _check_caller(sts: Sts, call: Call, operation: str) -> None:
    if call.principal.kind == "anonymous":
        raise AwsError("Request is missing Authentication Token", code="MissingAuthenticationToken", status=403)
    if is_session(call) or sts.sessions.recent(call.access_key) is not None:
        raise access_denied(f"Cannot call {operation} with session credentials")


def _duration(call: Call, asked: int | None) -> int:
    """Sessions of the root last an hour at most, whatever was asked for."""
    if call.principal.kind == "root":
        return min(asked or _LONGEST_FOR_ROOT, _LONGEST_FOR_ROOT)
    return asked or _DEFAULT
