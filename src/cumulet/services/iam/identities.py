"""What policies a principal has: compiled, and remembered until something in its account changes."""

from collections.abc import Callable

from cumulet.kernel.call import Principal
from cumulet.policy.compiled import CompiledPolicy, compile_policy
from cumulet.policy.document import Grammar, PolicyError
from cumulet.policy.identity import NOBODY, Identity
from cumulet.services.iam.catalogue import Catalogue
from cumulet.services.iam.model import WITH_INLINE, Group, Policy, Role, User
from cumulet.services.iam.store import ATTACHED, MEMBER, IamStore, View

_TRUSTED_FOR = 10.0
"""Seconds an answer is used: a change made by another node may come without its signal."""


class Identities:
    """`clock` gives the time in seconds."""

    def __init__(self, store: IamStore, catalogue: Catalogue, clock: Callable[[], float]) -> None:
        self._store = store
        self._catalogue = catalogue
        self._clock = clock
        self._known: dict[str, dict[tuple[str, str], tuple[float, Identity]]] = {}

    def forget(self, account: str) -> None:
        self._known.pop(account, None)

    async def find(self, principal: Principal, role_arn: str = "") -> Identity:
        """The identity behind a user or a session; an empty one when it is not there (any more).

        `role_arn` is the credential's: for a federated user, whose session it is.
        """
        account = self._known.setdefault(principal.account, {})
        id = (principal.id, role_arn)
        remembered = account.get(id)
        now = self._clock()
        if remembered is not None and now - remembered[0] < _TRUSTED_FOR:
            return remembered[1]
        identity = await self._load(self._store.view(principal.account), principal, role_arn)
        if len(account) >= 10_000:
            account.clear()
        account[id] = (now, identity)
        return identity

    async def managed(self, account: str, arn: str) -> CompiledPolicy | None:
        """A managed policy by ARN, compiled, for session policies and boundaries."""
        document = await self._document(self._store.view(account), arn)
        return None if document is None else _compiled(document, arn)

    async def _load(self, view: View, principal: Principal, role_arn: str) -> Identity:
        if principal.kind == "user":
            user = await view.by_id(User, principal.id)
            return NOBODY if user is None else await self.of_user(view, user)
        if principal.kind == "assumed-role":
            role = await view.by_id(Role, principal.id.partition(":")[0])
            return NOBODY if role is None else await self.of_role(view, role)
        if principal.kind == "federated-user":
            return await self._of_federated(view, role_arn)
        return NOBODY

    async def _of_federated(self, view: View, caller: str) -> Identity:
        """A federated user can do what the caller of GetFederationToken can; the session's policies limit it further."""
        if caller.endswith(":root"):
            everything = _compiled(_EVERYTHING, "root")
            return Identity((everything,) if everything is not None else ())
        user = await view.find(User, caller.rpartition("/")[2])
        return NOBODY if user is None else await self.of_user(view, user)

    async def of_user(self, view: View, user: User) -> Identity:
        policies = await self.policies_of(view, user)
        for group_id in await view.targets(MEMBER, user.id):
            group = await view.by_id(Group, group_id)
            if group is not None:
                policies += await self.policies_of(view, group)
        boundary = await self._boundary(view, user.boundary)
        return Identity(tuple(policies), boundary, user.arn(view.account), user.tags, name=user.name)

    async def of_role(self, view: View, role: Role) -> Identity:
        policies = await self.policies_of(view, role)
        boundary = await self._boundary(view, role.boundary)
        return Identity(tuple(policies), boundary, role.arn(view.account), role.tags)

    async def policies_of(self, view: View, entity: WITH_INLINE) -> list[CompiledPolicy]:
        """The entity's own policies, inline and attached."""
        found = [_compiled(text, f"{entity.kind}_{entity.name}_{name}") for name, text in entity.inline.items()]
        for arn in await view.targets(ATTACHED, entity.id):
            document = await self._document(view, arn)
            if document is not None:
                found.append(_compiled(document, arn))
        return [policy for policy in found if policy is not None]

    async def _boundary(self, view: View, arn: str) -> CompiledPolicy | None:
        """A boundary whose policy is gone allows nothing."""
        if not arn:
            return None
        document = await self._document(view, arn)
        return _compiled(document or _NOTHING, arn)

    async def _document(self, view: View, arn: str) -> str | None:
        policy = self._catalogue.get(arn) or await view.find(Policy, arn.rpartition("/")[2])
        return None if policy is None else policy.document


_EVERYTHING = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'
_NOTHING = '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}'


def _compiled(text: str, name: str) -> CompiledPolicy | None:
    """None for a policy that no longer parses: it was checked when it was kept, so this is a change of our grammar."""
    try:
        return compile_policy(text, Grammar.IDENTITY, name)
    except PolicyError:
        return None
