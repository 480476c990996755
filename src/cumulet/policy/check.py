"""What IAM demands of a policy before it keeps it, beyond the grammar. Messages are IAM's own."""

import re

from cumulet.policy.conditions import is_operator
from cumulet.policy.document import SYNTAX, Document, Grammar, PolicyError, Statement, parse

_PARTITIONS = {"aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b", "*"}
_VENDOR = re.compile(r"[A-Za-z0-9-]+|\*")
_TRUST_ACTIONS = {
    "sts:assumerole", "sts:assumerolewithsaml", "sts:assumerolewithwebidentity", "sts:tagsession",
    "sts:setsourceidentity", "sts:setcontext", "sts:*",
}  # fmt: skip
_PRINCIPAL_ARN = re.compile(
    r"arn:(aws|aws-cn|aws-us-gov):(iam|sts)::[0-9]{12}:"
    r"(root|(user|role|assumed-role|federated-user|saml-provider|oidc-provider)/[\w+=,.@/:-]+)"
)
_UNIQUE_ID = re.compile(r"A[A-Z0-9]{15,127}")
_SERVICE = re.compile(r"[a-z0-9.*-]+\.(amazonaws\.com|amazonaws\.com\.cn|aws\.internal|alexa\.com|[a-z.-]+)")


def check_identity_policy(text: str) -> Document:
    """A policy for users, groups and roles; raises PolicyError."""
    try:
        document = parse(text, Grammar.IDENTITY)
    except PolicyError as error:
        raise PolicyError(SYNTAX) if "Json" in str(error) else error from None
    if document.version != "2012-10-17":
        raise PolicyError("Policy document must be version 2012-10-17 or greater.")
    for statement in document.statements:
        if statement.principals is not None or statement.not_principals is not None:
            raise PolicyError("Policy document should not specify a principal.")
        if not (statement.actions or statement.not_actions):
            raise PolicyError("Policy statement must contain actions.")
        if not (statement.resources or statement.not_resources):
            raise PolicyError("Policy statement must contain resources.")
        for resource in (*(statement.resources or ()), *(statement.not_resources or ())):
            _check_resource(resource)
        _check_conditions(statement)
    return document


def _check_resource(resource: str) -> None:
    if resource == "*":
        return
    parts = resource.split(":", 5)
    if parts[0] != "arn":
        raise PolicyError(f'Resource {resource} must be in ARN format or "*".')
    if len(parts) < 3:
        raise PolicyError("Resource vendor must be fully qualified and cannot contain regexes.")
    if parts[1] not in _PARTITIONS:
        raise PolicyError(f'Partition "{parts[1]}" is not valid for resource "{resource}".')
    if not _VENDOR.fullmatch(parts[2]):
        raise PolicyError("Resource vendor must be fully qualified and cannot contain regexes.")
    if len(parts) < 6 and not resource.endswith("*"):
        raise PolicyError("The policy failed legacy parsing")


def _check_conditions(statement: Statement) -> None:
    for operator in statement.conditions:
        if not is_operator(operator):
            raise PolicyError(f"Invalid Condition type : {operator}" if operator.isidentifier() else SYNTAX)


def check_trust_policy(text: str) -> Document:
    """A role's AssumeRolePolicyDocument; raises PolicyError."""
    document = parse(text, Grammar.TRUST)
    for statement in document.statements:
        if statement.resources is not None or statement.not_resources is not None:
            raise PolicyError("Has prohibited field Resource")
        if statement.principals is None and statement.not_principals is None:
            raise PolicyError("Missing required field Principal")
        if statement.not_principals is not None and statement.allow:
            raise PolicyError("Allow with NotPrincipal is not allowed.")
        if statement.not_actions is not None:
            raise PolicyError("AssumeRole policy must contain resources.")
        if not statement.actions:
            raise PolicyError("Missing required field Action")
        for action in statement.actions:
            if action != "*" and action.lower() not in _TRUST_ACTIONS:
                raise PolicyError("AssumeRole policy may only specify STS AssumeRole actions.")
        _check_principals(statement.principals or statement.not_principals or {})
        _check_conditions(statement)
    return document


def _check_principals(principals: dict[str, tuple[str, ...]]) -> None:
    for kind, values in principals.items():
        for value in values:
            if not _is_principal(kind, value):
                raise PolicyError(f'Invalid principal in policy: "{_SHOWN.get(kind, kind)}":"{value}"')


_SHOWN = {"Service": "SERVICE", "Federated": "FEDERATED"}


def _is_principal(kind: str, value: str) -> bool:
    if kind == "AWS":
        return (
            value == "*"
            or re.fullmatch(r"[0-9]{12}", value) is not None
            or _PRINCIPAL_ARN.fullmatch(value) is not None
            or _UNIQUE_ID.fullmatch(value) is not None
        )
    if kind == "Service":
        return _SERVICE.fullmatch(value) is not None
    if kind == "Federated":
        return value != "" and "*" not in value
    return True
