"""What a customer-managed runtime is, with its versions and aliases, and how answers show them.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-customer-managed.html
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import NamedTuple

from msgspec import Struct

from cumulet.api import lambda_core as api
from cumulet.kernel.call import Call
from cumulet.services.lambda_.model import iso

CREATING, ACTIVE, FAILED, LEAVING = "CREATING", "ACTIVE", "FAILED", "PENDING_DELETION"
_ARN = re.compile(r"arn:aws[a-zA-Z-]*:lambda:([a-z0-9-]+):(\d{12}):runtime/([^/]+)", re.ASCII)


class RuntimeKey(NamedTuple):
    """Which runtime: the account and region it is of, and its name."""

    account: str
    region: str
    name: str

    @property
    def arn(self) -> str:
        return f"arn:aws:lambda:{self.region}:{self.account}:runtime/{self.name}"

    def version(self, name: str) -> str:
        """The ARN of a version."""
        return f"{self.arn}/version/{name}"

    def alias(self, name: str) -> str:
        """The ARN of an alias."""
        return f"{self.arn}/alias/{name}"


def key_of(call: Call, name: str) -> RuntimeKey:
    """The runtime that a request means by name or ARN."""
    return parse(name) or RuntimeKey(call.account, call.region, name)


def parse(arn: str) -> RuntimeKey | None:
    """None for what is no runtime's ARN."""
    found = _ARN.fullmatch(arn)
    return None if found is None else RuntimeKey(found[2], found[1], found[3])


class Item(Struct, frozen=True, kw_only=True):
    """What runtimes, versions and aliases have in common; `due` is when it is deleted, if that was asked for."""

    created: float
    modified: float
    due: float | None = None

    @property
    def leaving(self) -> str | None:
        """PendingDeletionAt."""
        return None if self.due is None else iso(self.due)


class CustomRuntime(Item, frozen=True, kw_only=True):
    """The parent of versions and aliases."""

    id: str
    description: str | None = None
    license_info: str | None = None
    lifecycle: api.RuntimeReleaseLifecycle | None = None
    tags: dict[str, str] = {}

    @property
    def state(self) -> str:
        return ACTIVE if self.due is None else LEAVING

    def info(self, key: RuntimeKey, now: float) -> api.RuntimeInfo:
        return api.RuntimeInfo(
            arn=key.arn,
            name=key.name,
            description=self.description,
            license_info=self.license_info,
            release_lifecycle=reached(self.lifecycle, now),
            state=self.state,
            pending_deletion_at=self.leaving,
            created=iso(self.created),
            last_modified=iso(self.modified),
        )


class RuntimeVersion(Item, frozen=True, kw_only=True):
    """An image, by its digest (`image`) and where it is in the registry (`blob`); `machine` is its architecture."""

    image: str
    blob: str
    resolved: str
    machine: str
    status: str = CREATING
    notes: str | None = None

    @property
    def state(self) -> str:
        return self.status if self.due is None else LEAVING

    @property
    def compatibility(self) -> api.Compatibility:
        return api.Compatibility(
            integration_models=["RuntimeAPI"], architectures=[self.machine], managed_instances="NotSupported"
        )

    def answer(self, key: RuntimeKey, name: str) -> api.GetRuntimeVersionResponse:
        return api.GetRuntimeVersionResponse(
            name=name,
            arn=key.version(name),
            resolved_uri=self.resolved,
            state=self.state,
            pending_deletion_at=self.leaving,
            release_notes=self.notes,
            platforms=[api.Platform(architecture=self.machine, os="linux", digest=f"sha256:{self.image}")],
            compatibility=self.compatibility,
            created=iso(self.created),
            last_modified=iso(self.modified),
        )


class RuntimeAlias(Item, frozen=True, kw_only=True):
    """A name for a version, by which functions use it."""

    version: str
    description: str | None = None
    lifecycle: api.RuntimeReleaseLifecycle | None = None

    @property
    def state(self) -> str:
        return ACTIVE if self.due is None else LEAVING

    def info(
        self, key: RuntimeKey, name: str, now: float, inherited: api.RuntimeReleaseLifecycle | None
    ) -> api.RuntimeAliasInfo:
        return api.RuntimeAliasInfo(
            name=name,
            arn=key.alias(name),
            runtime_version=self.version,
            runtime_version_arn=key.version(self.version),
            state=self.state,
            pending_deletion_at=self.leaving,
            description=self.description,
            release_lifecycle=reached(self.lifecycle or inherited, now),
            created=iso(self.created),
            last_modified=iso(self.modified),
        )


def today(now: float) -> str:
    """yyyy-mm-dd in UTC."""
    return f"{datetime.fromtimestamp(now, UTC):%Y-%m-%d}"


def checked(lifecycle: api.RuntimeReleaseLifecycle | None, now: float) -> api.RuntimeReleaseLifecycle | None:
    """The lifecycle that a request gives; None for one that says nothing. Raises InvalidParameterValueException."""
    if lifecycle is None or not any(getattr(lifecycle, name) for name in lifecycle.__struct_fields__):
        return None
    for date in (
        lifecycle.deprecation_date,
        lifecycle.function_create_block_date,
        lifecycle.function_update_block_date,
    ):
        try:
            datetime.strptime(date or "2026-01-01", "%Y-%m-%d").replace(tzinfo=UTC)
        except ValueError:
            raise api.InvalidParameterValueException(f"{date} is no date of the form yyyy-mm-dd.") from None
    over = lifecycle.deprecation_date is not None and lifecycle.deprecation_date <= today(now)
    if lifecycle.release_state == "DEPRECATED" and not over:
        raise api.InvalidParameterValueException("DEPRECATED requires a DeprecationDate on or before today (UTC).")
    if lifecycle.release_state in {"PREVIEW", "GA"} and over:
        raise api.InvalidParameterValueException("PREVIEW and GA require a DeprecationDate after today (UTC), or none.")
    return lifecycle


def reached(lifecycle: api.RuntimeReleaseLifecycle | None, now: float) -> api.RuntimeReleaseLifecycle | None:
    """As it is read: deprecated from its date on."""
    if lifecycle is None or lifecycle.deprecation_date is None or lifecycle.deprecation_date > today(now):
        return lifecycle
    return api.RuntimeReleaseLifecycle(
        release_state="DEPRECATED",
        deprecation_date=lifecycle.deprecation_date,
        function_create_block_date=lifecycle.function_create_block_date,
        function_update_block_date=lifecycle.function_update_block_date,
    )
