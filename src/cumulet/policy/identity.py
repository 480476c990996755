"""A principal's own policies, as authorization needs them."""

from msgspec import Struct

from cumulet.policy.compiled import CompiledPolicy


class Identity(Struct, frozen=True):
    """The policies of a user (its groups' included) or of a role, its boundary, and what conditions may ask of it.

    `arn` is the user's or the role's, with its path; `name` a user's name.
    """

    policies: tuple[CompiledPolicy, ...] = ()
    boundary: CompiledPolicy | None = None
    arn: str = ""
    tags: dict[str, str] = {}
    name: str = ""


NOBODY = Identity()
