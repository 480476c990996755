"""Resource policies: who besides the account may write to its log groups. The dispatcher evaluates them."""

from __future__ import annotations

import msgspec

from cumulet.api import logs as api
from cumulet.kernel.call import Call
from cumulet.kernel.errors import NotImplementedHere
from cumulet.services.logs.model import decode_page, encode_page
from cumulet.services.logs.policy_store import Policy
from cumulet.services.logs.state import Logs

_MOST = 10
_PAGE = 50


async def put_resource_policy(
    logs: Logs, call: Call, request: api.PutResourcePolicyRequest
) -> api.PutResourcePolicyResponse:
    _only_of_accounts(request.resource_arn)
    if not request.policy_name or not request.policy_document:
        raise api.InvalidParameterException("Both policyName and policyDocument must be given.")
    _check(request.policy_document)
    policy = Policy(request.policy_name, request.policy_document, logs.now())
    if not await logs.policies.put(call.account, call.region, policy, _MOST):
        raise api.LimitExceededException("Resource limit exceeded.")
    return api.PutResourcePolicyResponse(resource_policy=_to_wire(policy))


async def describe_resource_policies(
    logs: Logs, call: Call, request: api.DescribeResourcePoliciesRequest
) -> api.DescribeResourcePoliciesResponse:
    _only_of_accounts(request.resource_arn)
    after = decode_page(request.next_token, str) if request.next_token else ""
    found = await logs.policies.of(call.account, call.region, after)
    limit = request.limit or _PAGE
    return api.DescribeResourcePoliciesResponse(
        resource_policies=[_to_wire(policy) for policy in found[:limit]],
        next_token=encode_page(found[limit - 1].name) if len(found) > limit else None,
    )


async def delete_resource_policy(logs: Logs, call: Call, request: api.DeleteResourcePolicyRequest) -> None:
    _only_of_accounts(request.resource_arn)
    if not await logs.policies.remove(call.account, call.region, request.policy_name or ""):
        raise api.ResourceNotFoundException(f"Policy with name [{request.policy_name}] does not exist.")


async def resource_policy(logs: Logs, call: Call, _arn: str) -> str | None:
    """The statements of all the account's policies as one document, for the dispatcher."""
    policies = await logs.policies.known(call.account, call.region)
    if not policies:
        return None
    statements: list[object] = []
    for policy in policies:
        found = msgspec.json.decode(policy.document)["Statement"]
        statements += found if isinstance(found, list) else [found]
    return msgspec.json.encode({"Version": "2012-10-17", "Statement": statements}).decode()


def _only_of_accounts(resource_arn: str | None) -> None:
    if resource_arn is not None:
        raise NotImplementedHere("Policies of single log groups (resourceArn) are not implemented in Cumulet yet.")


def _check(document: str) -> None:
    try:
        value = msgspec.json.decode(document, type=dict[str, object])
        statements = value["Statement"]
    except (msgspec.DecodeError, KeyError, RecursionError) as error:
        raise api.InvalidParameterException("The policy document is not a JSON policy with statements.") from error
    for statement in statements if isinstance(statements, list) else [statements]:
        if not isinstance(statement, dict) or statement.get("Effect") not in ("Allow", "Deny"):
            raise api.InvalidParameterException("Each statement of the policy document needs an Effect.")


def _to_wire(policy: Policy) -> api.ResourcePolicy:
    return api.ResourcePolicy(
        policy_name=policy.name,
        policy_document=policy.document,
        last_updated_time=policy.updated,
        policy_scope="ACCOUNT",
    )
