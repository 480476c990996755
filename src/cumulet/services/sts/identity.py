"""Operations that tell who someone is."""

from __future__ import annotations

from cumulet.api import sts as api
from cumulet.kernel.call import Call
from cumulet.kernel.errors import AwsError
from cumulet.kernel.ids import account_of_access_key
from cumulet.kernel.service import prompt
from cumulet.services.sts.model import invalid
from cumulet.services.sts.state import Sts


@prompt
def get_caller_identity(sts: Sts, call: Call, request: api.GetCallerIdentityRequest) -> api.GetCallerIdentityResponse:
    principal = call.principal
    if principal.kind == "anonymous":
        raise AwsError("Request is missing Authentication Token", code="MissingAuthenticationToken", status=403)
    return api.GetCallerIdentityResponse(user_id=principal.id, account=principal.account, arn=principal.arn)


def get_access_key_info(sts: Sts, call: Call, request: api.GetAccessKeyInfoRequest) -> api.GetAccessKeyInfoResponse:
    account = account_of_access_key(request.access_key_id)
    if account is None:
        raise invalid(f"{request.access_key_id} is not a valid access key id.")
    return api.GetAccessKeyInfoResponse(account=account)
