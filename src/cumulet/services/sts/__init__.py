"""AWS Security Token Service: who is asking, and temporary credentials. It stores nothing."""

from collections.abc import Callable

from cumulet.api.sts import OPERATIONS
from cumulet.kernel.call import Call
from cumulet.kernel.service import Service, operations_in
from cumulet.services.sts import identity, roles, tokens
from cumulet.services.sts.sessions import Sessions
from cumulet.services.sts.state import FindRole, Sts


def build(*, key: bytes, find_role: FindRole, wall: Callable[[], float]) -> Service:
    """`key` is the node's secret; `find_role` gives a role by its ARN; `wall` is real time in seconds."""

    async def trust(call: Call, arn: str) -> str | None:
        """A role's trust policy is its resource policy, for AssumeRole."""
        role = await find_role(arn)
        return None if role is None else role.trust

    sts = Sts(Sessions(key), find_role, wall)
    return Service("sts", sts, operations_in(OPERATIONS, identity, roles, tokens), resource_policy=trust)


def keyring(service: Service) -> Sessions:
    """The keyring of sessions, for the gateway."""
    assert isinstance(service.state, Sts)
    return service.state.sessions
