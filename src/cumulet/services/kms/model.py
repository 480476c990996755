"""Keys as they are kept, and as answers show them."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from cumulet.api import kms as api
from cumulet.kernel.errors import AwsError
from cumulet.services.kms.specs import AGREE, ENCAPSULATE, ENCRYPT, MAC, SIGN, SPECS, SYMMETRIC

ENABLED, DISABLED, PENDING_IMPORT = "Enabled", "Disabled", "PendingImport"
PENDING_DELETION, PENDING_REPLICAS = "PendingDeletion", "PendingReplicaDeletion"
PRIMARY, REPLICA = "PRIMARY", "REPLICA"
CURRENT, NON_CURRENT, PENDING_ROTATION = "CURRENT", "NON_CURRENT", "PENDING_ROTATION"
DAY = 86_400.0
OURS, THEIRS = "AWS_KMS", "EXTERNAL"
"""Origins of material: made here, or imported."""


class Key(Struct, frozen=True):
    """A KMS key in one region. Moments are in seconds since 1970; `material` is the id of what encrypts now.

    `multi_region` is PRIMARY, REPLICA or empty; `public` the public half, DER, of an asymmetric key. `rotation_days` is 0 while
    it does not rotate by itself.
    """

    account: str
    region: str
    id: str
    created: float
    spec: str
    usage: str
    origin: str = OURS
    manager: str = "CUSTOMER"
    description: str = ""
    state: str = ENABLED
    multi_region: str = ""
    material: str = ""
    public: bytes = b""
    expiration: str = ""
    valid_to: float | None = None
    deletion: float | None = None
    window: int = 0
    rotation_days: int = 0
    next_rotation: float | None = None
    tags: dict[str, str] = {}

    @property
    def arn(self) -> str:
        return f"arn:aws:kms:{self.region}:{self.account}:key/{self.id}"

    @property
    def symmetric(self) -> bool:
        return self.spec == SYMMETRIC

    @property
    def algorithms(self) -> tuple[str, ...]:
        return SPECS[self.spec][self.usage]

    @property
    def due(self) -> float | None:
        """When the clock has something to do with it: delete, expire, rotate."""
        if self.state == PENDING_DELETION:
            return self.deletion
        moments = [self.valid_to if self.state != PENDING_IMPORT else None]
        if self.rotation_days and self.state == ENABLED:
            moments.append(self.next_rotation)
        return min((moment for moment in moments if moment is not None), default=None)


class Material(Struct, frozen=True):
    """What a key encrypts with, or did before it was rotated. `sealed` is empty when it was imported and deleted again.

    `number` counts from 0 in the order they came; `rotated` and `rotation` tell of the rotation that made it current.
    """

    id: str
    number: int
    state: str
    sealed: str
    rotated: float | None = None
    rotation: str = ""
    description: str = ""
    expiration: str = ""
    valid_to: float | None = None


def metadata(key: Key, related: Iterable[Key] = ()) -> api.KeyMetadata:
    """A key as AWS describes it; `related` are the multi-region key's own and its siblings."""
    algorithms = list(key.algorithms)
    return api.KeyMetadata(
        aws_account_id=key.account,
        key_id=key.id,
        arn=key.arn,
        creation_date=key.created,
        enabled=key.state == ENABLED,
        description=key.description,
        key_usage=key.usage,
        key_state=key.state,
        deletion_date=key.deletion if key.state == PENDING_DELETION else None,
        pending_deletion_window_in_days=key.window if key.state == PENDING_REPLICAS else None,
        origin=key.origin,
        expiration_model=key.expiration or None,
        valid_to=key.valid_to,
        key_manager=key.manager,
        customer_master_key_spec=key.spec,
        key_spec=key.spec,
        encryption_algorithms=algorithms if key.usage == ENCRYPT else None,
        signing_algorithms=algorithms if key.usage == SIGN else None,
        mac_algorithms=algorithms if key.usage == MAC else None,
        key_agreement_algorithms=algorithms if key.usage == AGREE else None,
        encapsulation_algorithms=algorithms if key.usage == ENCAPSULATE else None,
        multi_region=bool(key.multi_region),
        multi_region_configuration=_siblings(key, related) if key.multi_region else None,
        current_key_material_id=key.material or None if key.symmetric else None,
    )


def _siblings(key: Key, related: Iterable[Key]) -> api.MultiRegionConfiguration:
    everyone = list(related) or [key]
    primary = next((each for each in everyone if each.multi_region == PRIMARY), key)
    return api.MultiRegionConfiguration(
        multi_region_key_type=key.multi_region,
        primary_key=_place(primary),
        replica_keys=[_place(each) for each in everyone if each.multi_region == REPLICA],
    )


def _place(key: Key) -> api.MultiRegionKey:
    return api.MultiRegionKey(arn=key.arn, region=key.region)


def check_usable(key: Key) -> None:
    """Raises what AWS says of a key that may not be used as it is."""
    if key.state == DISABLED:
        raise api.DisabledException(f"{key.arn} is disabled.")
    check_present(key)
    if key.state == PENDING_IMPORT:
        raise api.KMSInvalidStateException(f"{key.arn} is pending import.")


def check_present(key: Key) -> None:
    """Raises KMSInvalidStateException for a key that is about to be deleted."""
    if key.state == PENDING_DELETION:
        raise api.KMSInvalidStateException(f"{key.arn} is pending deletion.")
    if key.state == PENDING_REPLICAS:
        raise api.KMSInvalidStateException(f"{key.arn} is pending replica deletion.")


def check_customers(key: Key) -> None:
    """Raises AccessDeniedException for AWS's own keys, which nobody else manages."""
    if key.manager == "AWS":
        raise AwsError(f"{key.arn} is managed by AWS: it cannot be changed.", code="AccessDeniedException")
