"""From policies to a decision.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from collections.abc import Sequence
from enum import Enum

from msgspec import Struct

from cumulet.policy.compiled import CompiledPolicy, CompiledStatement, Reach, Request, Verdict


class Source(Enum):
    """The kinds of policy, as AWS's messages call them."""

    ORGANIZATION = "service control policy"
    RESOURCE = "resource-based policy"
    IDENTITY = "identity-based policy"
    BOUNDARY = "permissions boundary"
    SESSION = "session policy"


class Policies(Struct, frozen=True):
    """Every policy that bears on a request. `organization` holds one group per level of the organisation's tree, of
    which each must allow; `session` and `boundary` limit; None or empty means there is no such limit.

    `trust` says that the resource policy is one that alone can let anyone in, as a role's trust policy is.
    """

    identity: Sequence[CompiledPolicy] = ()
    resource: CompiledPolicy | None = None
    boundary: CompiledPolicy | None = None
    session: Sequence[CompiledPolicy] | None = None
    organization: Sequence[Sequence[CompiledPolicy]] = ()
    same_account: bool = True
    trust: bool = False


class Decision(Struct, frozen=True):
    """`allowed`, or which kind of policy stood in the way: by an `explicit` deny, or because none of it allows."""

    allowed: bool
    explicit: bool = False
    source: Source | None = None
    policy: CompiledPolicy | None = None
    statement: CompiledStatement | None = None

    def reason(self, action: str) -> str:
        """The end of AWS's sentence."""
        if self.allowed or self.source is None:
            return ""
        kind = self.source.value
        article = "an" if kind[0] in "aeiou" else "a"
        if self.explicit:
            return f"with an explicit deny in {article} {kind}"
        return f"because no {kind} allows the {action} action"


ALLOWED = Decision(allowed=True)


class _Tally:
    """What a set of policies says together: the first deny ends it."""

    __slots__ = ("allowed", "denied", "policy")

    def __init__(self, policies: Sequence[CompiledPolicy], request: Request) -> None:
        self.allowed: Verdict | None = None
        self.denied: CompiledStatement | None = None
        self.policy: CompiledPolicy | None = None
        for policy in policies:
            verdict = policy.judge(request)
            if verdict.denied is not None:
                self.denied, self.policy = verdict.denied, policy
                return
            if self.allowed is None and verdict.allowed is not None:
                self.allowed, self.policy = verdict, policy

    def deny(self, source: Source) -> Decision:
        return Decision(False, True, source, self.policy, self.denied)


def decide(policies: Policies, request: Request) -> Decision:
    """The decision on a request."""
    tallies: list[tuple[Source, _Tally]] = [
        (Source.ORGANIZATION, _Tally(level, request)) for level in policies.organization
    ]
    resource = _Tally(() if policies.resource is None else (policies.resource,), request)
    identity = _Tally(policies.identity, request)
    tallies += (Source.RESOURCE, resource), (Source.IDENTITY, identity)
    limits: list[tuple[Source, _Tally]] = []
    if policies.boundary is not None:
        limits.append((Source.BOUNDARY, _Tally((policies.boundary,), request)))
    if policies.session:
        limits.append((Source.SESSION, _Tally(policies.session, request)))
    for source, tally in (*tallies, *limits):
        if tally.denied is not None:
            return tally.deny(source)
    for source, tally in tallies:
        if source is Source.ORGANIZATION and tally.allowed is None:
            return Decision(False, source=source)
    reach = Reach.NONE if resource.allowed is None else resource.allowed.reach
    return _settle(policies, request, reach, identity, resource, limits)


def _settle(
    policies: Policies,
    request: Request,
    reach: Reach,
    identity: _Tally,
    resource: _Tally,
    limits: list[tuple[Source, _Tally]],
) -> Decision:
    """Nothing denies explicitly: does enough allow?"""
    kind = request.principal.kind
    if kind in ("service", "anonymous"):
        return _granted(resource) if reach is Reach.DIRECT else Decision(False, source=Source.RESOURCE)
    if (policies.trust or not policies.same_account) and reach is Reach.NONE:
        return Decision(False, source=Source.RESOURCE)
    if policies.same_account and reach is Reach.DIRECT:
        return _granted(resource)
    by_identity = kind == "root" or identity.allowed is not None
    if not by_identity and not (policies.same_account and reach is Reach.ROLE):
        return Decision(False, source=Source.IDENTITY)
    for source, tally in limits:
        if tally.allowed is None:
            return Decision(False, source=source)
    return _granted(identity if identity.allowed is not None else resource)


def _granted(tally: _Tally) -> Decision:
    if tally.allowed is None:
        return ALLOWED
    return Decision(True, policy=tally.policy, statement=tally.allowed.allowed)
