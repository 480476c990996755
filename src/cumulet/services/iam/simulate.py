"""The policy simulator, with the evaluator that decides on real calls."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

from msgspec import Struct

from cumulet.api import iam as api
from cumulet.kernel.call import Call, Principal
from cumulet.policy.compiled import CompiledPolicy, CompiledStatement, Request, compile_policy
from cumulet.policy.document import Grammar, PolicyError
from cumulet.policy.evaluate import Decision, Policies, Source, decide
from cumulet.policy.keys import context_keys
from cumulet.policy.spans import statement_spans
from cumulet.services.iam.model import Group, Role, User, account_in, invalid, page, policy_arn
from cumulet.services.iam.state import Iam
from cumulet.services.iam.store import View

_IDENTITY = "IAM Policy"
_BOUNDARY = "IAM Permissions Boundary Policy"
_RESOURCE = "Resource Policy"


class Subject(Struct):
    """What is simulated: the policies, and who asks."""

    principal: Principal
    identity: list[CompiledPolicy]
    boundary: CompiledPolicy | None = None
    resource: CompiledPolicy | None = None
    organizations: bool = False


async def simulate_custom_policy(
    iam: Iam, call: Call, request: api.SimulateCustomPolicyRequest
) -> api.SimulatePolicyResponse:
    if request.ordered_organization_policy_input_list:
        raise invalid("OrderedOrganizationPolicyInputList is not implemented in Cumulet's iam yet.")
    principal = _principal(request.caller_arn or call.principal.arn, call)
    subject = Subject(principal, _given(request.policy_input_list, "PolicyInputList"))
    return _simulate(call, request, subject)


async def simulate_principal_policy(
    iam: Iam, call: Call, request: api.SimulatePrincipalPolicyRequest
) -> api.SimulatePolicyResponse:
    arn = request.policy_source_arn
    view = iam.view(call)
    policies, boundary = await _policies_of(iam, view, arn)
    subject = Subject(
        _principal(request.caller_arn or arn, call),
        policies + _given(request.policy_input_list, "PolicyInputList"),
        boundary,
        organizations=True,
    )
    excluded = {item.policy_arn for item in request.policy_exclusion_list or ()}
    subject.identity = [policy for policy in subject.identity if policy.name not in excluded]
    return _simulate(call, request, subject)


async def _policies_of(iam: Iam, view: View, arn: str) -> tuple[list[CompiledPolicy], CompiledPolicy | None]:
    name = policy_arn(arn)
    kind = arn.split(":", 5)[5].partition("/")[0]
    if kind == "user":
        identity = await iam.identities.of_user(view, await view.get(User, name))
        return list(identity.policies), identity.boundary
    if kind == "role":
        identity = await iam.identities.of_role(view, await view.get(Role, name))
        return list(identity.policies), identity.boundary
    if kind == "group":
        return await iam.identities.policies_of(view, await view.get(Group, name)), None
    raise api.InvalidInputException(f"Invalid Entity Arn: {arn} does not clearly define entity type and name.")


def _principal(arn: str, call: Call) -> Principal:
    """Whom to simulate. The simulator asks what policies say, so not even the root gets more than they give."""
    parts = arn.split(":", 5)
    account = parts[4] if len(parts) == 6 else call.account
    kind = parts[-1].partition("/")[0]
    return Principal("assumed-role" if kind in ("role", "assumed-role") else "user", arn, arn, account)


def _given(texts: Sequence[str] | None, name: str) -> list[CompiledPolicy]:
    return [_compiled(text, f"{name}.{index}") for index, text in enumerate(texts or (), 1)]


def _compiled(text: str, name: str, grammar: Grammar = Grammar.IDENTITY) -> CompiledPolicy:
    try:
        return compile_policy(text, grammar, name)
    except PolicyError as error:
        raise api.InvalidInputException(f"{name} is not a valid policy: {error}") from None


def _simulate(
    call: Call, request: api.SimulateCustomPolicyRequest | api.SimulatePrincipalPolicyRequest, subject: Subject
) -> api.SimulatePolicyResponse:
    for policy in _given(request.permissions_boundary_policy_input_list, "PermissionsBoundaryPolicyInputList"):
        subject.boundary = policy
    if request.resource_policy is not None:
        subject.resource = _compiled(request.resource_policy, "ResourcePolicy", Grammar.RESOURCE)
    keys = _context(request.context_entries or (), subject.principal)
    results = [
        _result(call, subject, action, resource, keys, specific=bool(request.resource_arns))
        for action, resource in product(request.action_names, request.resource_arns or ["*"])
    ]
    numbered = [(f"{index:06d}", result) for index, result in enumerate(results)]
    chosen, marker = page(numbered, lambda item: item[0], request.marker, request.max_items)
    return api.SimulatePolicyResponse(
        evaluation_results=[result for _, result in chosen], is_truncated=marker is not None, marker=marker
    )


def _context(entries: Sequence[api.ContextEntry], principal: Principal) -> dict[str, tuple[str, ...]]:
    keys: dict[str, tuple[str, ...]] = {
        "aws:principalarn": (principal.arn,),
        "aws:principalaccount": (principal.account,),
    }
    if principal.kind == "user":
        keys["aws:username"] = (principal.arn.rpartition("/")[2],)
    for entry in entries:
        keys[(entry.context_key_name or "").lower()] = tuple(entry.context_key_values or ())
    return keys


def _result(
    call: Call, subject: Subject, action: str, resource: str, keys: dict[str, tuple[str, ...]], *, specific: bool
) -> api.EvaluationResult:
    role = subject.principal.arn if subject.principal.kind == "assumed-role" else ""
    asked = Request(subject.principal, action, resource, keys.get, role)
    owner = account_in(resource) if resource.count(":") >= 5 else ""
    decision = decide(
        Policies(
            identity=subject.identity,
            resource=subject.resource,
            boundary=subject.boundary,
            same_account=(owner or subject.principal.account) == subject.principal.account,
        ),
        asked,
    )
    shared: dict[str, Any] = {
        "matched_statements": _matched(subject, asked, decision),
        "missing_context_values": _missing(subject, keys),
        "eval_decision_details": {},
    }
    if subject.boundary is not None:
        shared["permissions_boundary_decision_detail"] = api.PermissionsBoundaryDecisionDetail(
            allowed_by_permissions_boundary=subject.boundary.judge(asked).allowed is not None
        )
    word = "allowed" if decision.allowed else "explicitDeny" if decision.explicit else "implicitDeny"
    details = None
    if specific:
        own = {name: value for name, value in shared.items() if name != "eval_decision_details"}
        details = [api.ResourceSpecificResult(eval_resource_name=resource, eval_resource_decision=word, **own)]
    organizations = api.OrganizationsDecisionDetail(allowed_by_organizations=True) if subject.organizations else None
    return api.EvaluationResult(
        eval_action_name=action,
        eval_resource_name=resource,
        eval_decision=word,
        organizations_decision_detail=organizations,
        resource_specific_results=details,
        **shared,
    )


def _matched(subject: Subject, asked: Request, decision: Decision) -> list[api.Statement]:
    """The statements that bear on the request: those that deny if any does, else those that allow."""
    found = []
    sources = [(policy, _IDENTITY) for policy in subject.identity]
    sources += [(subject.resource, _RESOURCE)] if subject.resource is not None else []
    sources += (
        [(subject.boundary, _BOUNDARY)] if subject.boundary is not None and decision.source is Source.BOUNDARY else []
    )
    for policy, kind in sources:
        verdict = policy.judge(asked)
        statement = verdict.denied if decision.explicit else verdict.allowed
        if statement is not None:
            found.append(_statement(policy, statement, kind))
    return found


def _statement(policy: CompiledPolicy, statement: CompiledStatement, kind: str) -> api.Statement:
    shape = api.Statement(source_policy_id=policy.name.rpartition("/")[2], source_policy_type=kind)
    spans = statement_spans(policy.text)
    if statement.index < len(spans):
        start, end = spans[statement.index]
        shape.start_position = api.Position(line=start.line, column=start.column)
        shape.end_position = api.Position(line=end.line, column=end.column)
    return shape


def _missing(subject: Subject, keys: dict[str, tuple[str, ...]]) -> list[str]:
    policies = [*subject.identity, *(p for p in (subject.boundary, subject.resource) if p is not None)]
    found = {key.lower(): key for policy in policies for key in context_keys(policy.document)}
    return [key for fold, key in found.items() if fold not in keys]


async def get_context_keys_for_custom_policy(
    iam: Iam, call: Call, request: api.GetContextKeysForCustomPolicyRequest
) -> api.GetContextKeysForPolicyResponse:
    return _keys(_given(request.policy_input_list, "PolicyInputList"))


async def get_context_keys_for_principal_policy(
    iam: Iam, call: Call, request: api.GetContextKeysForPrincipalPolicyRequest
) -> api.GetContextKeysForPolicyResponse:
    policies, _ = await _policies_of(iam, iam.view(call), request.policy_source_arn)
    return _keys(policies + _given(request.policy_input_list, "PolicyInputList"))


def _keys(policies: Sequence[CompiledPolicy]) -> api.GetContextKeysForPolicyResponse:
    found = {key.lower(): key for policy in policies for key in context_keys(policy.document)}
    return api.GetContextKeysForPolicyResponse(context_key_names=list(found.values()))
