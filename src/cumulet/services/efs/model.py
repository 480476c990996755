"""File systems, mount targets and access points as they are kept, and as answers show them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from msgspec import Struct

from cumulet.api import efs as api

CREATING, AVAILABLE, DELETING = "creating", "available", "deleting"
_CHANGING = 1.0
"""Seconds of the node's clock that it takes to create or delete something; AWS takes up to minutes."""
EMPTY_SIZE = 6_144
"""Bytes that AWS counts for a file system with nothing in it."""
_ZONES = "abc"
_DAY = 86_400.0

Tags = dict[str, str]


class Place(Struct, frozen=True):
    """Whose something is, and where."""

    account: str
    region: str

    def arn(self, resource: str) -> str:
        return f"arn:aws:elasticfilesystem:{self.region}:{self.account}:{resource}"


class FileSystem(Struct, frozen=True, kw_only=True):
    """Moments are in seconds since 1970. `deleting`: only its files are left, to be removed."""

    id: str
    place: Place
    token: str
    created: float
    performance: str = "generalPurpose"
    throughput: str = "bursting"
    provisioned: float | None = None
    throughput_changed: float = 0.0
    encrypted: bool = False
    kms_key: str | None = None
    zone: str | None = None
    tags: Tags = {}
    policy: str | None = None
    lifecycle: tuple[dict[str, str], ...] = ()
    backup: str = "DISABLED"
    protection: str = "ENABLED"
    deleting: bool = False

    @property
    def arn(self) -> str:
        return self.place.arn(f"file-system/{self.id}")

    def state(self, now: float) -> str:
        if self.deleting:
            return DELETING
        return CREATING if now < self.created + _CHANGING else AVAILABLE

    def answer(self, now: float, targets: int, size: tuple[int, float]) -> api.FileSystemDescription:
        """`targets` is how many mount targets it has, `size` its bytes and when they were counted."""
        value, measured = size
        return api.FileSystemDescription(
            owner_id=self.place.account,
            creation_token=self.token,
            file_system_id=self.id,
            file_system_arn=self.arn,
            creation_time=self.created,
            life_cycle_state=self.state(now),
            name=self.tags.get("Name"),
            number_of_mount_targets=targets,
            size_in_bytes=api.FileSystemSize(
                value=value, timestamp=measured or None, value_in_ia=0, value_in_standard=value, value_in_archive=0
            ),
            performance_mode=self.performance,
            encrypted=self.encrypted,
            kms_key_id=self.kms_key,
            throughput_mode=self.throughput,
            provisioned_throughput_in_mibps=self.provisioned,
            availability_zone_name=self.zone,
            availability_zone_id=zone_id(self.zone) if self.zone else None,
            tags=tag_list(self.tags),
            file_system_protection=api.FileSystemProtectionDescription(
                replication_overwrite_protection=self.protection
            ),
        )

    def may_change_throughput(self, now: float) -> bool:
        """Modes and lower figures may be chosen once a day."""
        return now >= self.throughput_changed + _DAY


class MountTarget(Struct, frozen=True, kw_only=True):
    """A way to a file system from one subnet. `deleted` is when it was asked to go."""

    id: str
    place: Place
    file_system: str
    subnet: str
    created: float
    address: str
    groups: tuple[str, ...] = ()
    zone: str = ""
    deleted: float | None = None

    def state(self, now: float) -> str:
        if self.deleted is not None:
            return DELETING
        return CREATING if now < self.created + _CHANGING else AVAILABLE

    def is_gone(self, now: float) -> bool:
        return self.deleted is not None and now >= self.deleted + _CHANGING

    def answer(self, now: float) -> api.MountTargetDescription:
        return api.MountTargetDescription(
            owner_id=self.place.account,
            mount_target_id=self.id,
            file_system_id=self.file_system,
            subnet_id=self.subnet,
            life_cycle_state=self.state(now),
            ip_address=self.address,
            network_interface_id="eni-" + _digest(self.id)[:17],
            availability_zone_id=zone_id(self.zone),
            availability_zone_name=self.zone,
            vpc_id=vpc(self.place),
        )


class Owner(Struct, frozen=True):
    """What CreationInfo says of a root directory that has to be made."""

    uid: int
    gid: int
    permissions: str


class User(Struct, frozen=True):
    """Who clients of an access point are."""

    uid: int
    gid: int
    more: tuple[int, ...] = ()


class AccessPoint(Struct, frozen=True, kw_only=True):
    """A folder of a file system, and who uses it."""

    id: str
    place: Place
    file_system: str
    token: str
    created: float
    path: str = "/"
    owner: Owner | None = None
    user: User | None = None
    tags: Tags = {}

    @property
    def arn(self) -> str:
        return self.place.arn(f"access-point/{self.id}")

    def state(self, now: float) -> str:
        return CREATING if now < self.created + _CHANGING else AVAILABLE

    def answer(self, now: float) -> api.AccessPointDescription:
        user, owner = self.user, self.owner
        creation, posix = None, None
        if owner is not None:
            creation = api.CreationInfo(owner_uid=owner.uid, owner_gid=owner.gid, permissions=owner.permissions)
        if user is not None:
            posix = api.PosixUser(uid=user.uid, gid=user.gid, secondary_gids=list(user.more) or None)
        return api.AccessPointDescription(
            client_token=self.token,
            name=self.tags.get("Name"),
            tags=tag_list(self.tags),
            access_point_id=self.id,
            access_point_arn=self.arn,
            file_system_id=self.file_system,
            posix_user=posix,
            root_directory=api.RootDirectory(path=self.path, creation_info=creation),
            owner_id=self.place.account,
            life_cycle_state=self.state(now),
        )


def tag_list(tags: Tags) -> list[api.Tag]:
    return [api.Tag(key=key, value=value) for key, value in tags.items()]


def tags_of(given: Iterable[api.Tag] | None) -> Tags:
    return {tag.key: tag.value for tag in given or ()}


def short(id_or_arn: str) -> str:
    """The id in an id or an ARN."""
    return id_or_arn.rpartition("/")[2]


def zone_of(region: str, subnet: str) -> str:
    """The Availability Zone of a subnet. There is nobody to ask: it is always the same for the same subnet."""
    return region + _ZONES[int(_digest(subnet)[:8], 16) % len(_ZONES)]


def is_zone(region: str, zone: str) -> bool:
    return zone.startswith(region) and zone[len(region) :] in {*_ZONES, "d", "e", "f"}


def zone_id(zone: str) -> str:
    """us-east-1a as use1-az1; the numbers follow the letters here."""
    parts = zone[:-1].split("-")
    return f"{parts[0]}{''.join(word[0] for word in parts[1:-1])}{parts[-1]}-az{ord(zone[-1]) - ord('a') + 1}"


def address_of(file_system: str, subnet: str) -> str:
    number = int(_digest(subnet + file_system)[:6], 16)
    return f"10.0.{number >> 8 & 255}.{number % 250 + 4}"


def vpc(place: Place) -> str:
    """The one VPC that an account has in a region here; Lambda shows the same."""
    return "vpc-" + _digest(f"{place.account}/{place.region}")[:17]


def default_group(place: Place) -> str:
    return "sg-" + _digest(f"default/{place.account}/{place.region}")[:17]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
