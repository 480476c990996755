"""What the policy tests share: documents in short, and a judge of them."""

import json
from typing import Any

from cumulet.kernel.call import Principal
from cumulet.policy.compiled import CompiledPolicy, Request, compile_policy
from cumulet.policy.document import Grammar

ACCOUNT = "111122223333"
ANN = Principal("user", f"arn:aws:iam::{ACCOUNT}:user/ann", "AIDA0000000000000ANN", ACCOUNT)
ROLE = f"arn:aws:iam::{ACCOUNT}:role/worker"
SESSION = Principal("assumed-role", f"arn:aws:sts::{ACCOUNT}:assumed-role/worker/s1", "AROA000000000WORKER:s1", ACCOUNT)


def statement(effect: str = "Allow", action: Any = "*", resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": effect, "Action": action, "Resource": resource, **more}


def policy(*statements: dict[str, Any], grammar: Grammar = Grammar.IDENTITY, **top: Any) -> CompiledPolicy:
    document = {"Version": "2012-10-17", "Statement": list(statements), **top}
    return compile_policy(json.dumps(document), grammar)


def request(
    action: str = "s3:GetObject",
    resource: str = "arn:aws:s3:::photos/cat.jpg",
    principal: Principal = ANN,
    role_arn: str = "",
    **keys: str | tuple[str, ...],
) -> Request:
    """Condition keys are written with `__` for the colon: `aws__username="ann"`."""
    found = {
        name.replace("__", ":").lower(): (value,) if isinstance(value, str) else value for name, value in keys.items()
    }
    return Request(principal, action, resource, found.get, role_arn)


def allows(compiled: CompiledPolicy, asked: Request) -> bool:
    verdict = compiled.judge(asked)
    return verdict.denied is None and verdict.allowed is not None
