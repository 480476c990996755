"""Policies as closures: compiled once per text, evaluated many times."""

import re
from collections.abc import Callable, Mapping
from enum import IntEnum
from functools import lru_cache

from msgspec import Struct

from cumulet.kernel.call import Principal
from cumulet.policy.conditions import Test, compile_conditions
from cumulet.policy.document import VERSION, Document, Grammar, Statement, parse
from cumulet.policy.patterns import matcher, wildcards
from cumulet.policy.variables import Keys, Template

_REMEMBERED_ACTIONS = 512


class Reach(IntEnum):
    """How a statement's Principal names who asks, weakest first; it decides what else must allow the request.

    ACCOUNT: through its account, which delegates to the account's own policies. ROLE: the role behind a session.
    DIRECT: this user, session or service itself, or everyone.
    """

    NONE = 0
    ACCOUNT = 1
    ROLE = 2
    DIRECT = 3


class Request(Struct, frozen=True):
    """What is asked: `principal` (and the role it stands for) wants to do `action` to `resource`.

    `action` is `service:Name`, in any case; `keys` finds condition keys.
    """

    principal: Principal
    action: str
    resource: str
    keys: Keys
    role_arn: str = ""


class Verdict(Struct, frozen=True):
    """What one policy says of a request. `denied` and `allowed` hold the statements that decided, None if there are none."""

    denied: "CompiledStatement | None" = None
    allowed: "CompiledStatement | None" = None
    reach: Reach = Reach.NONE


SILENT = Verdict()


class CompiledStatement:
    __slots__ = ("acts_on", "allow", "conditions", "index", "reach", "resource", "sid")

    def __init__(self, index: int, statement: Statement, *, variables: bool) -> None:
        self.index = index
        self.sid = statement.sid
        self.allow = statement.allow
        self.acts_on = _actions(statement)
        self.resource = _resources(statement, variables=variables)
        self.reach = _principals(statement)
        self.conditions: tuple[Test, ...] = compile_conditions(statement.conditions, variables=variables)


class CompiledPolicy:
    """`judge` says what the policy makes of a request. `name` tells policies apart in reports."""

    __slots__ = ("_by_action", "document", "name", "statements", "text")

    def __init__(self, text: str, document: Document, name: str = "") -> None:
        self.text = text
        self.document = document
        self.name = name
        variables = document.version == VERSION
        self.statements = tuple(
            CompiledStatement(index, statement, variables=variables)
            for index, statement in enumerate(document.statements)
        )
        self._by_action: dict[str, tuple[CompiledStatement, ...]] = {}

    def judge(self, request: Request) -> Verdict:
        """The verdict on a request: an explicit deny is final, so what follows one is not looked at."""
        statements = self._by_action.get(request.action)
        if statements is None:
            statements = self._select(request.action)
        allowed, reach = None, Reach.NONE
        for statement in statements:
            if statement.resource is not None and not statement.resource(request.resource, request.keys):
                continue
            found = Reach.DIRECT if statement.reach is None else statement.reach(request)
            if found is Reach.NONE or not _hold(statement.conditions, request.keys):
                continue
            if not statement.allow:
                return Verdict(denied=statement)
            if found > reach:
                allowed, reach = statement, found
        return SILENT if allowed is None else Verdict(None, allowed, reach)

    def _select(self, action: str) -> tuple[CompiledStatement, ...]:
        """The statements about an action, denying ones first; remembered, since a node sees few actions."""
        lower = action.lower()
        chosen = [statement for statement in self.statements if statement.acts_on(lower)]
        chosen.sort(key=lambda statement: statement.allow)
        if len(self._by_action) >= _REMEMBERED_ACTIONS:
            self._by_action.clear()
        found = self._by_action[action] = tuple(chosen)
        return found


def _hold(conditions: tuple[Test, ...], keys: Keys) -> bool:
    for test in conditions:  # noqa: SIM110  a generator costs more than the test
        if not test(keys):
            return False
    return True


@lru_cache(4096)
def compile_policy(text: str, grammar: Grammar, name: str = "") -> CompiledPolicy:
    """Parse and compile; raises PolicyError."""
    return CompiledPolicy(text, parse(text, grammar), name)


def _actions(statement: Statement) -> Callable[[str], bool]:
    listed = statement.actions if statement.actions is not None else statement.not_actions or ()
    tests = [matcher(wildcards(action.lower())) for action in listed]
    negated = statement.actions is None
    return lambda action: any(test(action) for test in tests) is not negated


def _resources(statement: Statement, *, variables: bool) -> Callable[[str, Keys], bool] | None:
    """None when the statement has no Resource (trust policies) or names every one."""
    if statement.resources is None and statement.not_resources is None:
        return None
    listed = statement.resources if statement.resources is not None else statement.not_resources or ()
    if statement.resources is not None and "*" in listed:
        return None
    templates = [Template(text, variables=variables, globs=True) for text in listed]
    fixed = [matcher(template.fixed) for template in templates if template.fixed is not None]
    open_ = [template for template in templates if template.fixed is None]
    if statement.resources is None:
        return _all_but(fixed, open_, allow=statement.allow)
    if not open_ and len(fixed) == 1:
        only = fixed[0]
        return lambda resource, _: only(resource)

    def match(resource: str, keys: Keys) -> bool:
        for test in fixed:
            if test(resource):
                return True
        for template in open_:
            text = template.fill(keys)
            if text is not None and matcher(text)(resource):
                return True
        return False

    return match


def _all_but(fixed: list[Callable[[str], bool]], open_: list[Template], *, allow: bool) -> Callable[[str, Keys], bool]:
    """NotResource. A variable without value keeps an Allow from matching and leaves a Deny as wide as it can be."""

    def match(resource: str, keys: Keys) -> bool:
        if any(test(resource) for test in fixed):
            return False
        for template in open_:
            text = template.fill(keys)
            if (text is None and allow) or (text is not None and matcher(text)(resource)):
                return False
        return True

    return match


def _principals(statement: Statement) -> Callable[[Request], Reach] | None:
    if statement.principals is not None:
        return _named(statement.principals)
    if statement.not_principals is not None:
        excluded = _named(statement.not_principals)
        return lambda request: Reach.DIRECT if excluded(request) is Reach.NONE else Reach.NONE
    return None


def _named(principals: Mapping[str, tuple[str, ...]]) -> Callable[[Request], Reach]:
    identities = frozenset(principals.get("AWS", ()) + principals.get("*", ()))
    others = frozenset(
        principals.get("Service", ()) + principals.get("Federated", ()) + principals.get("CanonicalUser", ())
    )
    everyone = "*" in identities

    def reach(request: Request) -> Reach:
        principal = request.principal
        if everyone:
            return Reach.DIRECT
        if principal.kind == "service":
            return Reach.DIRECT if principal.arn in others or _everywhere(principal.arn) in others else Reach.NONE
        if principal.arn in identities or principal.id in identities:
            return Reach.ACCOUNT if principal.kind == "root" else Reach.DIRECT
        if principal.arn in others:
            return Reach.DIRECT
        if request.role_arn and (request.role_arn in identities or principal.id.partition(":")[0] in identities):
            return Reach.ROLE
        account = principal.account
        if account and (account in identities or f"arn:aws:iam::{account}:root" in identities):
            return Reach.ACCOUNT
        return Reach.NONE

    return reach


_REGIONAL = re.compile(r"([a-z0-9-]+)\.[a-z]{2}(?:-[a-z]+)+-[0-9]\.amazonaws\.com")


def _everywhere(service: str) -> str:
    """A service's principal of one region (`logs.eu-west-1.amazonaws.com`) is also the service itself."""
    found = _REGIONAL.fullmatch(service)
    return service if found is None else f"{found[1]}.amazonaws.com"
