"""Private domain names: which VPC endpoint a request comes by decides whose it is, and whether it may come at all.

There are no VPCs here: a request says its endpoint in the header that API Gateway adds to such requests (`x-amzn-vpce-id`).
https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-private-custom-domains.html
"""

from __future__ import annotations

from typing import Any

import msgspec

from cumulet.kernel.call import ANONYMOUS, Call
from cumulet.kernel.credentials import Credential
from cumulet.kernel.web import Asked, Visit
from cumulet.services.apigateway.domains.hosts import Host

HEADER = "x-amzn-vpce-id"
INVOKE = "execute-api:Invoke"
_SHORT = "execute-api:/"
_NOBODY = Credential("", None, ANONYMOUS)


async def admits(host: Host, visit: Visit) -> bool:
    """Whether a domain's own policy lets a request through; without one it lets nobody, as on AWS."""
    if not host.private:
        return True
    domain = host.domain
    call = Call(
        account=domain.account,
        region=domain.key.region,
        principal=ANONYMOUS,
        request_id=visit.request_id,
        endpoint=visit.endpoint,
        source_ip=visit.request.peer,
    )
    resource = resource_of(host)
    keys: dict[str, tuple[str, ...]] = {"aws:sourcevpce": (visit.vpc_endpoint,)}
    policy = expanded(domain.body.policy, resource)
    if policy is None:
        return False
    asked = Asked(action=INVOKE, resource=resource, policy=policy, identity=False, keys=keys)
    return (await visit.judge(call, _NOBODY, asked)).allowed


def resource_of(host: Host) -> str:
    """What policies name: `arn:aws:execute-api:us-east-1:111122223333:/domainnames/api.example.com+abcd1234`."""
    key = host.domain.key
    return f"arn:aws:execute-api:{key.region}:{host.domain.account}:/domainnames/{key.name}+{key.id}"


def expanded(policy: str | None, resource: str) -> str | None:
    """A policy whose short resources (`execute-api:/*`) are the domain; None for what is none."""
    try:
        document = msgspec.json.decode(policy or "")
    except msgspec.DecodeError:
        return None
    statements: Any = document.get("Statement", []) if isinstance(document, dict) else []
    for statement in statements if isinstance(statements, list) else [statements]:
        for member in ("Resource", "NotResource"):
            if isinstance(statement, dict) and member in statement:
                given = statement[member]
                listed = given if isinstance(given, list) else [given]
                statement[member] = [
                    resource if isinstance(one, str) and one.startswith(_SHORT) else one for one in listed
                ]
    return msgspec.json.encode(document).decode()
