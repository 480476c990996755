"""Key policies: each key has one, called `default`, and nobody may use the key whom it does not let in.

https://docs.aws.amazon.com/kms/latest/developerguide/key-policies.html
"""

from __future__ import annotations

import msgspec

from cumulet.api import kms as api
from cumulet.kernel.arn import Arn
from cumulet.kernel.call import Call, Principal
from cumulet.policy.compiled import Reach, Request, compile_policy
from cumulet.policy.document import Grammar, PolicyError
from cumulet.services.kms import model
from cumulet.services.kms.grants_store import Grant
from cumulet.services.kms.model import Key
from cumulet.services.kms.state import Kms

_NAME = "default"
_MOST = 32_768
_EVERY_USE = "kms:"


def default(account: str) -> str:
    """The policy of a key that none was given for: the account's own policies decide."""
    return f"""{{
  "Version" : "2012-10-17",
  "Id" : "key-default-1",
  "Statement" : [ {{
    "Sid" : "Enable IAM User Permissions",
    "Effect" : "Allow",
    "Principal" : {{
      "AWS" : "arn:aws:iam::{account}:root"
    }},
    "Action" : "kms:*",
    "Resource" : "*"
  }} ]
}}"""


def check(call: Call, key: Key, policy: str, *, bypass: bool) -> None:
    """Raises MalformedPolicyDocumentException for what is no policy, and for one that would lock out who sets it."""
    if len(policy.encode()) > _MOST:
        raise api.LimitExceededException(f"A key policy may have {_MOST} bytes at most.")
    try:
        compiled = compile_policy(policy, Grammar.RESOURCE, key.arn)
    except PolicyError as error:
        raise api.MalformedPolicyDocumentException(str(error)) from None
    if bypass:
        return
    asked = Request(call.principal, "kms:PutKeyPolicy", key.arn, lambda _: None, _role(call.principal))
    if compiled.judge(asked).reach is Reach.NONE:
        raise api.MalformedPolicyDocumentException(
            "The new key policy will not allow you to update the key policy in the future."
        )


def _role(principal: Principal) -> str:
    """The role of a session, as far as its ARN tells."""
    if principal.kind != "assumed-role":
        return ""
    arn = Arn.parse(principal.arn)
    return f"arn:{arn.partition}:iam::{arn.account}:role/{arn.resource.split('/')[1]}"


def with_grants(policy: str, grants: list[Grant]) -> str:
    """The policy as permissions are looked up: each grant is a statement of it."""
    if not grants:
        return policy
    document = msgspec.json.decode(policy)
    statements = document["Statement"]
    document["Statement"] = [
        *(statements if isinstance(statements, list) else [statements]),
        *(_statement(grant) for grant in grants),
        *(_retiring(grant) for grant in grants if grant.retiring),
    ]
    return msgspec.json.encode(document).decode()


def _statement(grant: Grant) -> dict[str, object]:
    equal: dict[str, object] = {}
    pairs = grant.equals if grant.equals is not None else grant.subset
    for name, value in (pairs or {}).items():
        equal[f"kms:EncryptionContext:{name}"] = value
    if grant.source_arn:
        equal["aws:SourceArn"] = grant.source_arn
    conditions: dict[str, object] = {"StringEquals": equal} if equal else {}
    if grant.equals is not None:
        conditions["ForAllValues:StringEquals"] = {"kms:EncryptionContextKeys": sorted(grant.equals)}
    return {
        "Effect": "Allow",
        "Principal": _principal(grant.grantee),
        "Action": [_EVERY_USE + operation for operation in grant.operations],
        "Resource": "*",
        **({"Condition": conditions} if conditions else {}),
    }


def _retiring(grant: Grant) -> dict[str, object]:
    return {
        "Effect": "Allow",
        "Principal": _principal(grant.retiring),
        "Action": "kms:RetireGrant",
        "Resource": "*",
        "Condition": {"StringEquals": {"kms:RetiredGrant": grant.id}},
    }


def _principal(name: str) -> dict[str, str]:
    return {"AWS" if name.startswith("arn:") else "Service": name}


async def get_key_policy(kms: Kms, call: Call, request: api.GetKeyPolicyRequest) -> api.GetKeyPolicyResponse:
    key = await kms.key(call, request.key_id)
    _check_name(request.policy_name)
    policy = await kms.keys.policy(key.account, key.region, key.id)
    return api.GetKeyPolicyResponse(policy=policy, policy_name=_NAME)


async def put_key_policy(kms: Kms, call: Call, request: api.PutKeyPolicyRequest) -> None:
    key = await kms.key(call, request.key_id)
    _check_name(request.policy_name)
    model.check_customers(key)
    model.check_present(key)
    check(call, key, request.policy, bypass=bool(request.bypass_policy_lockout_safety_check))
    await kms.keys.set_policy(key, request.policy)


async def list_key_policies(kms: Kms, call: Call, request: api.ListKeyPoliciesRequest) -> api.ListKeyPoliciesResponse:
    await kms.key(call, request.key_id)
    return api.ListKeyPoliciesResponse(policy_names=[_NAME], truncated=False)


def _check_name(name: str | None) -> None:
    if name not in (None, _NAME):
        raise api.NotFoundException(f"No such policy exists: {name}")
