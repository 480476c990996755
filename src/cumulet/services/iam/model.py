"""What IAM keeps, and the rules that need no store."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import ClassVar, TypeVar

from msgspec import Struct

from cumulet.api import iam as api
from cumulet.kernel.errors import AwsError
from cumulet.policy.check import check_identity_policy, check_trust_policy
from cumulet.policy.document import PolicyError

MAX_TAGS = 50
MAX_ITEMS = 100

_ARN = re.compile(r"arn:[a-z-]+:[a-z0-9-]+:[a-z0-9-]*:([0-9]{12}|aws)?:.+")


class Entity(Struct, kw_only=True):
    """A named thing of an account. `kind` is its word in ARNs and in messages; names are unique whatever their case."""

    kind: ClassVar[str] = ""
    prefix: ClassVar[str] = ""
    label: ClassVar[str] = ""
    quota: ClassVar[tuple[str, int]] = ("", 0)

    name: str
    id: str
    path: str = "/"
    created: int = 0
    tags: dict[str, str] = {}

    def arn(self, account: str) -> str:
        return f"arn:aws:iam::{account}:{self.kind}{self.path}{self.name}"


class ServiceCredential(Struct):
    """A user name and password for one service (CodeCommit, Keyspaces)."""

    id: str
    service: str
    user_name: str
    created: int
    status: str = "Active"


class SshKey(Struct):
    """A public key of a user, for CodeCommit."""

    id: str
    body: str
    fingerprint: str
    uploaded: int
    status: str = "Active"


class User(Entity, kw_only=True):
    kind = "user"
    prefix = "AIDA"
    label = "User"
    quota = ("UsersPerAccount", 5000)

    boundary: str = ""
    inline: dict[str, str] = {}
    password: str = ""
    password_created: int = 0
    password_reset_required: bool = False
    credentials: list[ServiceCredential] = []
    ssh_keys: list[SshKey] = []


class Group(Entity, kw_only=True):
    kind = "group"
    prefix = "AGPA"
    label = "Group"
    quota = ("GroupsPerAccount", 300)

    inline: dict[str, str] = {}


class Role(Entity, kw_only=True):
    kind = "role"
    prefix = "AROA"
    label = "Role"
    quota = ("RolesPerAccount", 1000)

    trust: str
    description: str | None = None
    max_session: int = 3600
    boundary: str = ""
    inline: dict[str, str] = {}
    used: int = 0
    used_region: str = ""


class Version(Struct):
    id: str
    document: str
    created: int


class Policy(Entity, kw_only=True):
    kind = "policy"
    prefix = "ANPA"
    label = "Policy"
    quota = ("PoliciesPerAccount", 1500)

    description: str = ""
    updated: int = 0
    versions: list[Version] = []
    default: str = "v1"
    latest: int = 1

    def version(self, id: str) -> Version | None:
        return next((version for version in self.versions if version.id == id), None)

    @property
    def document(self) -> str:
        version = self.version(self.default)
        assert version is not None
        return version.document


class InstanceProfile(Entity, kw_only=True):
    kind = "instance-profile"
    prefix = "AIPA"
    label = "Instance Profile"
    quota = ("InstanceProfilesPerAccount", 1000)

    role: str = ""


class OidcProvider(Entity, kw_only=True):
    """`name` is the address without its scheme."""

    kind = "oidc-provider"
    label = "Provider"
    quota = ("OpenIdConnectProvidersPerAccount", 100)

    clients: list[str] = []
    thumbprints: list[str] = []


class SamlProvider(Entity, kw_only=True):
    kind = "saml-provider"
    label = "Provider"
    quota = ("SAMLProvidersPerAccount", 100)

    metadata: str
    valid_until: int


class Alias(Entity, kw_only=True):
    """The account's alias; kept under the account `*`, since an alias is unique among all. `id` is whose it is."""

    kind = "alias"


class PasswordRules(Entity, kw_only=True):
    """The account's password policy; there is one, with an empty name."""

    kind = "password-policy"

    rules: api.PasswordPolicy


class Report(Entity, kw_only=True):
    """The account's credential report; there is one, with an empty name."""

    kind = "credential-report"

    content: str


class DeletionTask(Entity, kw_only=True):
    """The record of a service-linked role's deletion."""

    kind = "deletion-task"

    status: str = "SUCCEEDED"


Named = TypeVar("Named", bound=Entity)
Item = TypeVar("Item")

WITH_INLINE = User | Group | Role


def not_found(kind: type[Entity], name: str) -> AwsError:
    """NoSuchEntity, in the words IAM has for that kind."""
    if kind is Policy:
        return api.NoSuchEntityException(f"Policy {name} was not found.")
    if kind is InstanceProfile:
        return api.NoSuchEntityException(f"Instance Profile {name} cannot be found.")
    return api.NoSuchEntityException(f"The {kind.kind} with name {name} cannot be found.")


def exists(kind: type[Entity], name: str) -> AwsError:
    """EntityAlreadyExists, in the words IAM has for that kind."""
    if kind is Policy:
        return api.EntityAlreadyExistsException(
            f"A policy called {name} already exists. Duplicate names are not allowed."
        )
    if kind is InstanceProfile:
        return api.EntityAlreadyExistsException(f"Instance Profile {name} already exists.")
    return api.EntityAlreadyExistsException(f"{kind.label} with name {name} already exists.")


def over_quota(name: str, limit: int) -> AwsError:
    return api.LimitExceededException(f"Cannot exceed quota for {name}: {limit}")


def invalid(message: str) -> AwsError:
    """ValidationError: what IAM answers before it looks anything up."""
    return AwsError(message, code="ValidationError", status=400)


def policy_arn(arn: str) -> str:
    """The name at the end of a policy's ARN; raises ValidationError when the text is not an ARN."""
    if not _ARN.fullmatch(arn):
        raise invalid("Invalid ARN:  Could not be parsed!")
    return arn.rpartition("/")[2]


def account_in(arn: str) -> str:
    return arn.split(":", 5)[4]


def checked_policy(document: str) -> str:
    """An identity policy IAM would keep; raises MalformedPolicyDocument."""
    try:
        check_identity_policy(document)
    except PolicyError as error:
        raise api.MalformedPolicyDocumentException(str(error)) from None
    return document


def checked_trust(document: str, role: str) -> str:
    """A trust policy IAM would keep; raises MalformedPolicyDocument, LimitExceeded."""
    try:
        check_trust_policy(document)
    except PolicyError as error:
        raise api.MalformedPolicyDocumentException(str(error)) from None
    if policy_size(document) > 2048:
        raise over_quota("ACLSizePerRole", 2048)
    return document


def policy_size(document: str) -> int:
    """A policy's characters as IAM counts them: without white space."""
    return len("".join(document.split()))


def merged_tags(old: dict[str, str], new: Sequence[api.Tag] | None) -> dict[str, str]:
    """Tags after an addition: keys differ by more than case, and one that is there takes the new value."""
    seen: set[str] = set()
    merged = dict(old)
    by_fold = {key.lower(): key for key in old}
    for tag in new or ():
        fold = tag.key.lower()
        if fold in seen:
            raise api.InvalidInputException("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
        seen.add(fold)
        if fold in by_fold:
            del merged[by_fold[fold]]
        merged[tag.key] = tag.value
    if len(merged) > MAX_TAGS:
        raise api.LimitExceededException("The number of tags has reached the maximum limit.")
    return merged


def without_tags(old: dict[str, str], keys: Sequence[str]) -> dict[str, str]:
    gone = {key.lower() for key in keys}
    return {key: value for key, value in old.items() if key.lower() not in gone}


def wire_tags(tags: dict[str, str]) -> list[api.Tag]:
    return [api.Tag(key=key, value=value) for key, value in tags.items()]


def page(
    items: Sequence[Item], key: Callable[[Item], str], marker: str | None, limit: int | None
) -> tuple[list[Item], str | None]:
    """A page of items in the order of their keys, and the marker of the next one."""
    ordered = sorted(items, key=key)
    if marker is not None:
        after = read_marker(marker)
        ordered = [item for item in ordered if key(item) > after]
    size = limit or MAX_ITEMS
    return ordered[:size], make_marker(key(ordered[size - 1])) if len(ordered) > size else None


def make_marker(key: str) -> str:
    """Where the next page starts: the last key of this one. Not meant to be read, so not kept readable."""
    return key.encode().hex()


def read_marker(marker: str) -> str:
    try:
        return bytes.fromhex(marker).decode()
    except ValueError:
        raise invalid("Invalid Marker.") from None
