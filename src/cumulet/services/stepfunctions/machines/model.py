"""What a state machine is: rules without a store."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from cumulet.services.stepfunctions.machines import arns

STANDARD, EXPRESS = "STANDARD", "EXPRESS"
ACTIVE, DELETING = "ACTIVE", "DELETING"


class Logging(Struct, frozen=True, omit_defaults=True):
    """Where executions log and how much. `groups` are the ARNs of log groups; None when destinations were never given."""

    level: str = "OFF"
    include_data: bool = False
    groups: tuple[str, ...] | None = None


class Encryption(Struct, frozen=True, omit_defaults=True):
    """With which key data is kept; AWS's own key when there is none of these."""

    type: str
    key: str | None = None
    reuse_seconds: int | None = None


class Content(Struct, frozen=True):
    """Everything of a machine that an update may change, and that a version keeps."""

    definition: str
    role_arn: str
    logging: Logging = Logging()
    tracing: bool = False
    encryption: Encryption | None = None


class Machine(Struct, frozen=True):
    """A state machine. `id` is unlike that of any other machine, even one of the same name later; `revision` is the number of
    its current revision, `published` that of the newest version ever made."""

    id: str
    partition: str
    region: str
    account: str
    name: str
    type: str
    status: str
    created: float
    revision: int
    published: int

    @property
    def arn(self) -> str:
        return arns.machine_arn(self.partition, self.region, self.account, self.name)


class Revision(Struct, frozen=True):
    """One state of a machine's content. `machine` is the machine's id; `revision_id` is empty for that of its creation, as on AWS."""

    machine: str
    number: int
    revision_id: str
    created: float
    content: Content

    @property
    def key(self) -> str:
        """Names the revision in this store for ever: executions keep it."""
        return f"{self.machine}.{self.number}"


class Version(Struct, frozen=True):
    """A published revision."""

    machine: str
    number: int
    revision: int
    description: str
    created: float


class Route(Struct, frozen=True):
    """A version, and how many of 100 executions it gets."""

    version: int
    weight: int


class Alias(Struct, frozen=True):
    """A name for one version or two."""

    machine: str
    name: str
    description: str
    routes: tuple[Route, ...]
    created: float
    updated: float


def choose(routes: Sequence[Route], number: float) -> int:
    """The version that `number` (at least 0, below 100) falls to."""
    for route in routes:
        if number < route.weight:
            return route.version
        number -= route.weight
    return routes[-1].version


class MachineVersion(Struct, frozen=True):
    """A machine as executions need it: exactly the definition and configuration that one is started with.

    `version` and `alias` tell how it was named, if it was by one of those. `compiled` is the definition as a tree. `mock` is the
    test case that its tasks are answered by.
    """

    machine: Machine
    revision: Revision
    compiled: Any
    version: int | None = None
    alias: str = ""
    mock: str = ""

    @property
    def arn(self) -> str:
        """Of the machine itself."""
        return self.machine.arn

    @property
    def name(self) -> str:
        return self.machine.name

    @property
    def type(self) -> str:
        return self.machine.type

    @property
    def key(self) -> str:
        """Names the revision for ever: `machines.revision(key)` gives it again."""
        return f"{self.revision.key}#{self.mock}" if self.mock else self.revision.key

    @property
    def definition(self) -> str:
        return self.revision.content.definition

    @property
    def role_arn(self) -> str:
        return self.revision.content.role_arn

    @property
    def logging(self) -> Logging:
        return self.revision.content.logging

    @property
    def tracing(self) -> bool:
        return self.revision.content.tracing

    @property
    def revision_id(self) -> str:
        return self.revision.revision_id

    @property
    def version_arn(self) -> str | None:
        return None if self.version is None else f"{self.machine.arn}:{self.version}"

    def processor(self, label: str) -> str | None:
        """The definition of the item processor of the distributed Map with this label."""
        return _labelled(msgspec.json.decode(self.definition), label)

    @property
    def alias_arn(self) -> str | None:
        return f"{self.machine.arn}:{self.alias}" if self.alias else None


def _labelled(value: Any, label: str) -> str | None:
    if isinstance(value, dict):
        if value.get("Type") == "Map" and value.get("Label") == label:
            return msgspec.json.encode(value.get("ItemProcessor") or value.get("Iterator") or {}).decode()
        value = list(value.values())
    if isinstance(value, list):
        return next((found for item in value if (found := _labelled(item, label)) is not None), None)
    return None


Draw = Callable[[], float]
"""A number from 0 up to 100: what decides between the versions of an alias."""


def draw() -> float:
    """For nothing secret."""
    return random.random() * 100  # noqa: S311  traffic shifting


class _Settings(Struct, frozen=True, omit_defaults=True):
    """The content but for its definition, which is long: as the store keeps it."""

    role_arn: str
    logging: Logging = Logging()
    tracing: bool = False
    encryption: Encryption | None = None


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Settings).decode
_decode_routes = msgspec.json.Decoder(tuple[Route, ...]).decode


def encode_settings(content: Content) -> str:
    return _encode(_Settings(content.role_arn, content.logging, content.tracing, content.encryption)).decode()


def decode_content(definition: str, settings: str) -> Content:
    found = _decode(settings)
    return Content(definition, found.role_arn, found.logging, found.tracing, found.encryption)


def encode_routes(routes: Sequence[Route]) -> str:
    return _encode(routes).decode()


def decode_routes(text: str) -> tuple[Route, ...]:
    return _decode_routes(text)
