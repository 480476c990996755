"""May this call run? The one place where permissions are looked at, for clients and for services alike.

`off` asks nothing. `audit` lets everything pass and records what `enforce` would refuse. `enforce` refuses, in the words of
the service that was called.
"""

import logging
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from typing import Literal

from msgspec import Struct

from cumulet.kernel.call import Call, Principal
from cumulet.kernel.credentials import Credential
from cumulet.kernel.errors import AwsError
from cumulet.kernel.web import Asked, Judgement
from cumulet.policy.compiled import CompiledPolicy, Request, Verdict, compile_policy
from cumulet.policy.context import Context, Find
from cumulet.policy.document import Grammar, PolicyError
from cumulet.policy.evaluate import ALLOWED, Decision, Policies, Source, decide
from cumulet.policy.identity import NOBODY, Identity
from cumulet.policy.needs import Need, needs

log = logging.getLogger(__name__)

Mode = Literal["off", "audit", "enforce"]
FindIdentity = Callable[[Principal, str], Awaitable[Identity]]
FindManaged = Callable[[str, str], Awaitable[CompiledPolicy | None]]
FindText = Callable[[str, Call, str], Awaitable[str | None]]
FindKeys = Callable[[str, Call, str, Struct], Awaitable[Find | None]]

_REMEMBERED = 1_000
_DECIDED = 10_000
_LOGGED = 10_000

_FORBIDDEN: dict[str, tuple[str, int]] = {
    "apigateway": ("AccessDeniedException", 403),
    "apigatewayv2": ("AccessDeniedException", 403),
    "cloudformation": ("AccessDenied", 403),
    "cloudwatch": ("AccessDenied", 403),
    "efs": ("AccessDeniedException", 403),
    "iam": ("AccessDenied", 403),
    "lambda": ("AccessDeniedException", 403),
    "lambda-core": ("AccessDeniedException", 403),
    "lambda-microvms": ("AccessDeniedException", 403),
    "lambda-web": ("AccessDeniedException", 403),
    "pipes": ("AccessDeniedException", 403),
    "s3": ("AccessDenied", 403),
    "scheduler": ("AccessDeniedException", 403),
    "sns": ("AuthorizationError", 403),
    "sqs": ("AccessDenied", 403),
    "sts": ("AccessDenied", 403),
    "xray": ("AccessDeniedException", 403),
}
_FORBIDDEN_JSON = ("AccessDeniedException", 400)


class Denial(Struct, frozen=True):
    """A permission that was missing. `enforced` tells whether the call was refused; `at` is in seconds since 1970."""

    at: float
    account: str
    region: str
    principal: str
    service: str
    operation: str
    action: str
    resource: str
    reason: str
    request_id: str
    enforced: bool


class _Decided(Struct, frozen=True):
    """A decision, and all that it rests on beside who wants what: good for as long as that is the same.

    `keys` are the condition keys that policies asked for, with the values that they had.
    """

    identity: Identity
    policy: str | None
    owner: str
    keys: tuple[tuple[str, tuple[str, ...] | None], ...]
    decision: Decision

    def holds(self, identity: Identity, policy: str | None, owner: str) -> bool:
        """Whether the policies are those of then."""
        return self.identity is identity and self.policy == policy and self.owner == owner


class Authorizer:
    """Decides on calls.

    `identity` gives the policies of a principal (and the ARN its credential stands for), `managed` a managed policy by
    account and ARN, `resource_policy` and `resource_owner` what a service says of one of its resources, `now` the time in
    seconds since 1970. `full_arn` gives the whole ARN
    of a resource of IAM that a request names without its path. `own_keys` gives what finds condition keys that only a service can
    tell, for the service, the call, the resource and the part of the request. `used` is told of calls that were let in, and the service they were for.
    """

    def __init__(  # noqa: PLR0913  each is one question that it asks others
        self,
        mode: Mode,
        *,
        identity: FindIdentity,
        managed: FindManaged,
        resource_policy: FindText,
        resource_owner: FindText | None = None,
        now: Callable[[], float],
        full_arn: FindText | None = None,
        own_keys: FindKeys | None = None,
        used: Callable[[Call, str], None] | None = None,
    ) -> None:
        self.mode = mode
        self.counts: Counter[str] = Counter()
        self._identity = identity
        self._managed = managed
        self._resource_policy = resource_policy
        self._resource_owner = resource_owner
        self._now = now
        self._full_arn = full_arn
        self._own_keys = own_keys
        self._used = used
        self._denied: deque[Denial] = deque(maxlen=_REMEMBERED)
        self._logged: set[tuple[str, str, str]] = set()
        self._decided: dict[tuple[Principal, str, str, bool, str], _Decided] = {}

    def needs_check(self, call: Call, credential: Credential | None) -> bool:
        """The cheap question first: an account's root may do everything there; `audit` does not look further."""
        if self.mode == "off":
            return False
        return self.mode == "enforce" or call.principal.kind != "root"

    def denied(self) -> list[Denial]:
        """The permissions that were missing lately, newest last."""
        return list(self._denied)

    async def check(
        self, call: Call, credential: Credential | None, service: str, operation: str, request: Struct
    ) -> None:
        """Raises the service's AccessDenied error in `enforce`, and only records in `audit`."""
        if not self.needs_check(call, credential):
            return
        identity = await self._identity_of(call, credential)
        for asked in needs(call, service, operation, request):
            need = await self._complete(call, asked)
            decision = await self._decide(call, credential, identity, need, request)
            if not decision.allowed:
                self._refuse(call, need, operation, decision)
        if self._used is not None:
            self._used(call, service)

    async def judge(self, call: Call, credential: Credential, asked: Asked) -> Judgement:
        """The decision on an address that has a policy of its own, which counts in every mode: it is part of what the address does.

        The caller's policies are added where they are asked for; what they lack counts in `enforce` alone. Without them, a
        policy that says nothing of the caller gives neither allowed nor explicit.
        """
        policy = _own(asked)
        owner = asked.resource.split(":", 5)[4]
        identity = await self._identity_of(call, credential) if asked.identity and self.mode != "off" else NOBODY
        context = Context(call, credential, identity, ("execute-api", _NOTHING_ASKED, owner), self._now, asked.keys)
        role = ""
        if call.principal.kind == "assumed-role":
            role = identity.arn or credential.role_arn
        request = Request(call.principal, asked.action, asked.resource, context.find, role)
        if not asked.identity:
            verdict = _SILENT if policy is None else policy.judge(request)
            return Judgement(verdict.allowed is not None and verdict.denied is None, verdict.denied is not None)
        policies = Policies(
            identity=identity.policies,
            resource=policy,
            boundary=identity.boundary,
            session=await self._session(call.principal.account, credential),
            same_account=owner == call.principal.account,
        )
        decision = decide(policies, request)
        by = decision.source.value if decision.source is not None else ""
        if decision.allowed or (decision.explicit and decision.source is Source.RESOURCE) or self.mode == "enforce":
            return Judgement(decision.allowed, decision.explicit, by)
        if self.mode == "audit":
            self._refuse(call, Need(asked.action, asked.resource, "execute-api"), "Invoke", decision)
        return Judgement(allowed=True)

    async def _complete(self, call: Call, need: Need) -> Need:
        """IAM's requests name users and roles without their path, which is part of their ARN; those of KMS name keys by aliases."""
        if need.service not in ("iam", "kms") or need.resource == "*" or self._full_arn is None:
            return need
        if need.service == "kms" and not need.trust:
            return need  # an alias itself
        return need._replace(resource=await self._full_arn(need.service, call, need.resource) or need.resource)

    async def _identity_of(self, call: Call, credential: Credential | None) -> Identity:
        if call.principal.kind in ("root", "service", "anonymous"):
            return NOBODY
        return await self._identity(call.principal, credential.role_arn if credential is not None else "")

    async def _decide(
        self, call: Call, credential: Credential | None, identity: Identity, need: Need, request: Struct
    ) -> Decision:
        principal = call.principal
        owner = await self._owner(call, need)
        if principal.kind == "root" and owner == principal.account and not need.trust:
            return ALLOWED
        text = None if need.resource == "*" else await self._resource_policy(need.service, call, need.resource)
        role = ""
        if principal.kind == "assumed-role":
            role = identity.arn or (credential.role_arn if credential is not None else "")
        place = (principal, need.action, need.resource, need.trust, role)
        limited = credential is not None and bool(credential.session_policy)
        before = self._decided.get(place) if not limited else None
        if before is not None and not before.holds(identity, text, owner):
            before = None
        if before is not None and not before.keys:
            return before.decision
        own = None
        if self._own_keys is not None:
            own = await self._own_keys(need.service, call, need.resource, need.part or request)
        context = Context(call, credential, identity, (need.service, request, owner), self._now, need.keys, own)
        if before is not None and all(context.find(key) == values for key, values in before.keys):
            return before.decision
        policies = Policies(
            identity=identity.policies,
            resource=self._compiled(text, need.resource),
            boundary=identity.boundary,
            session=await self._session(principal.account, credential),
            same_account=owner == principal.account,
            trust=need.trust,
        )
        decision = decide(policies, Request(principal, need.action, need.resource, context.find, role))
        if not limited:
            if len(self._decided) >= _DECIDED:
                self._decided.clear()
            self._decided[place] = _Decided(identity, text, owner, context.found, decision)
        return decision

    async def _owner(self, call: Call, need: Need) -> str:
        """The account of the resource; the caller's when nothing tells another."""
        parts = need.resource.split(":", 5)
        if len(parts) == 6 and parts[4] not in ("", "aws"):
            return parts[4]
        # A bucket that is to be made may have the name of another's: S3 has an answer of its own for that.
        if self._resource_owner is not None and len(parts) == 6 and need.action != "s3:CreateBucket":
            return await self._resource_owner(need.service, call, need.resource) or call.account
        return call.account

    def _compiled(self, text: str | None, resource: str) -> CompiledPolicy | None:
        if text is None:
            return None
        try:
            return compile_policy(text, Grammar.RESOURCE, resource)
        except PolicyError:
            log.warning("the resource policy of %s cannot be read, so nobody but the root is let in", resource)
            return _NOBODY

    async def _session(self, account: str, credential: Credential | None) -> list[CompiledPolicy] | None:
        """The session's own policies: texts, and ARNs of managed policies."""
        if credential is None or not credential.session_policy:
            return None
        found = []
        for policy in credential.session_policy:
            if policy.startswith("arn:"):
                managed = await self._managed(account, policy)
                found += [] if managed is None else [managed]
            else:
                found.append(compile_policy(policy, Grammar.IDENTITY))
        return found or [_NOTHING]

    def _refuse(self, call: Call, need: Need, operation: str, decision: Decision) -> None:
        enforced = self.mode == "enforce"
        reason = decision.reason(need.action)
        denial = Denial(
            self._now(),
            call.account,
            call.region,
            call.principal.arn,
            need.service,
            operation,
            need.action,
            need.resource,
            reason,
            call.request_id,
            enforced,
        )
        self._denied.append(denial)
        self.counts["refused" if enforced else "would refuse"] += 1
        self._log(denial)
        if enforced:
            raise _access_denied(call, need, decision)

    def _log(self, denial: Denial) -> None:
        """Once for each permission: a loop that misses one must not fill the log.

        Of log streams each environment of a function has its own: they count as their group.
        """
        seen = (denial.principal, denial.action, denial.resource.partition(":log-stream:")[0])
        if seen in self._logged:
            return
        if len(self._logged) >= _LOGGED:
            self._logged.clear()
        self._logged.add(seen)
        log.warning(
            "%s %s on %s by %s: %s",
            "refused" if denial.enforced else "would be refused:",
            denial.action,
            denial.resource,
            denial.principal,
            denial.reason or "no policy allows it",
        )


_NOTHING = compile_policy(
    '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}', Grammar.IDENTITY
)
_NOBODY = compile_policy(
    '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*"}]}',
    Grammar.RESOURCE,
)


_SILENT = Verdict()


class _Nothing(Struct):
    """A request without members that conditions name."""


_NOTHING_ASKED = _Nothing()


def _own(asked: Asked) -> CompiledPolicy | None:
    if not asked.policy:
        return None
    try:
        return compile_policy(asked.policy, Grammar.RESOURCE, asked.resource.partition("/")[0])
    except PolicyError:
        log.warning("the policy of %s cannot be read, so nobody is let in", asked.resource)
        return _NOBODY


def _access_denied(call: Call, need: Need, decision: Decision) -> AwsError:
    """AWS's sentence, in the form of the service that was called."""
    service = need.action.partition(":")[0]
    code, status = _FORBIDDEN.get(need.service, _FORBIDDEN_JSON)
    if call.principal.kind == "anonymous" and need.service != "s3":
        return AwsError("Missing Authentication Token", code="MissingAuthenticationToken", status=403)
    action = _shown_action(service, need.action)
    resource = f'"{need.resource}"' if service == "s3" else need.resource
    sentence = f"User: {call.principal.arn} is not authorized to perform: {action} on resource: {resource}"
    if not (need.trust and need.service == "sts" and decision.source is Source.RESOURCE):
        sentence += f" {decision.reason(action)}"
    return AwsError(sentence, code=code, status=status)


def _shown_action(service: str, action: str) -> str:
    """SQS and SNS spell actions in their own way."""
    if service == "sqs":
        return action.lower()
    return action.replace("sns:", "SNS:", 1) if service == "sns" else action
