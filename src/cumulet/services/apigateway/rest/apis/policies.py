"""Resource policies of APIs: checked, and with whole ARNs."""

from __future__ import annotations

from typing import Any

import msgspec

from cumulet.kernel.call import Call
from cumulet.services.apigateway.errors import bad_request
from cumulet.services.apigateway.limits import Limits
from cumulet.services.apigateway.rest.json_text import document

_SHORT = "execute-api:/"


def stored_policy(policy: str, call: Call, api_id: str, limits: Limits) -> str:
    """A policy document as AWS keeps it: `execute-api:/stage/GET/path` stands for this API's ARN.

    Raises BadRequestException for what is no policy document.
    """
    if len(policy) > limits.resource_policy:
        raise bad_request(f"Invalid policy document: it is larger than {limits.resource_policy} bytes.")
    try:
        found = document(policy)
        statements = found["Statement"]
        for statement in statements if isinstance(statements, list) else [statements]:
            _check(statement)
            for key in ("Resource", "NotResource"):
                if key in statement:
                    statement[key] = _whole(statement[key], call, api_id)
    except (ValueError, KeyError, TypeError):
        raise _invalid() from None
    return msgspec.json.encode(found).decode()


def _check(statement: Any) -> None:
    if not isinstance(statement, dict) or statement.get("Effect") not in ("Allow", "Deny"):
        raise _invalid()
    if not ({"Principal", "NotPrincipal"} & statement.keys() and {"Action", "NotAction"} & statement.keys()):
        raise _invalid()


def _whole(resource: Any, call: Call, api_id: str) -> Any:
    if isinstance(resource, list):
        return [_whole(each, call, api_id) for each in resource]
    if isinstance(resource, str) and resource.startswith(_SHORT):
        return f"arn:aws:execute-api:{call.region}:{call.account}:{api_id}/{resource[len(_SHORT) :]}"
    return resource


def _invalid() -> Exception:
    return bad_request("Invalid policy document. Please check the policy syntax and ensure that Principals are valid.")
