"""What images, their versions and builds, and MicroVMs are, and how answers show them."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from cumulet.api import lambda_microvms as api
from cumulet.services.lambda_.microvms.names import ImageKey

CREATING, CREATED, CREATE_FAILED = "CREATING", "CREATED", "CREATE_FAILED"
UPDATING, UPDATED, UPDATE_FAILED, DELETING = "UPDATING", "UPDATED", "UPDATE_FAILED", "DELETING"
PENDING, IN_PROGRESS, SUCCESSFUL, FAILED = "PENDING", "IN_PROGRESS", "SUCCESSFUL", "FAILED"
ACTIVE, INACTIVE = "ACTIVE", "INACTIVE"
RUNNING, SUSPENDING, SUSPENDED, TERMINATING, TERMINATED = (
    "RUNNING",
    "SUSPENDING",
    "SUSPENDED",
    "TERMINATING",
    "TERMINATED",
)
ENABLED = "ENABLED"
MOST_SECONDS = 28_800
USUAL_MB = 2048
PEAK = 4
"""How many times its baseline a MicroVM may use."""
_MB_A_PROCESSOR = 2048
_DISKS = {4096: 16_384, 8192: 32_768}
_DISK_MB = 8192
SIZES = (512, 1024, 2048, 4096, 8192)
"""Baselines there are, in MiB."""


def disk_mb(memory_mb: int) -> int:
    """How much a MicroVM of that baseline may write."""
    return _DISKS.get(memory_mb, _DISK_MB)


def processors(memory_mb: int) -> float:
    """Those it may use at its peak."""
    return PEAK * memory_mb / _MB_A_PROCESSOR


class Spec(Struct, frozen=True, kw_only=True):
    """What a version is made of, as it was asked for."""

    base_arn: str
    base_version: str
    build_role: str
    artifact: api.CodeArtifact
    egress: list[str]
    memory_mb: int = USUAL_MB
    description: str | None = None
    logging: api.Logging | None = None
    cpus: list[api.CpuConfiguration] | None = None
    capabilities: list[str] | None = None
    hooks: api.Hooks | None = None
    environment: dict[str, str] | None = None

    def shown(self) -> dict[str, Any]:
        """The members of answers that have it."""
        return {
            "base_image_arn": self.base_arn,
            "base_image_version": self.base_version,
            "build_role_arn": self.build_role,
            "description": self.description,
            "code_artifact": self.artifact,
            "logging": self.logging,
            "egress_network_connectors": self.egress,
            "cpu_configurations": self.cpus,
            "resources": [api.Resources(minimum_memory_in_mi_b=self.memory_mb)],
            "additional_os_capabilities": self.capabilities,
            "hooks": self.hooks,
            "environment_variables": self.environment,
        }


class Image(Struct, frozen=True, kw_only=True):
    """A name for versions."""

    id: str
    created: float
    updated: float
    state: str = CREATING
    last: int = 1
    """The number of the last version that was made, 1 for 1.0."""
    active: str | None = None
    failed: str | None = None
    tags: dict[str, str] = {}

    def summary(self, key: ImageKey) -> api.MicrovmImageSummary:
        return api.MicrovmImageSummary(**self._common(key))

    def answer(self, key: ImageKey) -> api.GetMicrovmImageOutput:
        return api.GetMicrovmImageOutput(**self._common(key), tags=self.tags, updated_at=self.updated)

    def made(self, key: ImageKey, version: Version) -> dict[str, Any]:
        """What CreateMicrovmImage and UpdateMicrovmImage answer."""
        common = {**self._common(key), **version.spec.shown()}
        return {**common, "updated_at": self.updated, "image_version": version.number}

    def _common(self, key: ImageKey) -> dict[str, Any]:
        return {
            "image_arn": key.arn,
            "name": key.name,
            "state": self.state,
            "latest_active_image_version": self.active,
            "latest_failed_image_version": self.failed,
            "created_at": self.created,
        }


class Program(Struct, frozen=True, kw_only=True):
    """What the build of a version came to: how its program is run. `layer` names the folder with what the steps wrote, `image`
    the container image below; each is empty where there is none."""

    argv: tuple[str, ...]
    environment: dict[str, str] = {}
    folder: str = "/"
    layer: str = ""
    image: str = ""
    image_blob: str = ""
    ports: tuple[int, ...] = ()


class Version(Struct, frozen=True, kw_only=True):
    """One state of an image. `token` and `digest` are of the request that made it."""

    number: str
    spec: Spec
    created: float
    updated: float
    state: str = PENDING
    reason: str | None = None
    status: str = INACTIVE
    program: Program | None = None
    builds: list[Build] = []
    token: str = ""
    digest: str = ""

    def answer(self, key: ImageKey, tags: dict[str, str] | None = None) -> dict[str, Any]:
        return {
            **self.spec.shown(),
            "image_arn": key.arn,
            "image_version": self.number,
            "state": self.state,
            "status": self.status,
            "created_at": self.created,
            "updated_at": self.updated,
            "state_reason": self.reason,
            "tags": tags,
        }


class Build(Struct, frozen=True, kw_only=True):
    """One attempt to make a version for one kind of processor."""

    id: str
    architecture: str
    created: float
    state: str = PENDING
    reason: str | None = None
    memory: int | None = None
    code: int | None = None

    @property
    def chipset(self) -> str:
        return "GRAVITON" if self.architecture == "ARM_64" else "INTEL"

    @property
    def generation(self) -> str:
        return "4"

    def summary(self, key: ImageKey, version: str) -> dict[str, Any]:
        return {
            "image_arn": key.arn,
            "image_version": version,
            "build_id": self.id,
            "build_state": self.state,
            "architecture": self.architecture,
            "chipset": self.chipset,
            "chipset_generation": self.generation,
            "state_reason": self.reason,
            "created_at": self.created,
        }

    def answer(self, key: ImageKey, version: str) -> api.GetMicrovmImageBuildOutput:
        sizes = None
        if self.state == SUCCESSFUL:
            sizes = api.SnapshotBuild(memory_snapshot_size_in_bytes=self.memory, code_install_size_in_bytes=self.code)
        return api.GetMicrovmImageBuildOutput(**self.summary(key, version), snapshot_build=sizes)


class Microvm(Struct, frozen=True, kw_only=True):
    """One that runs, or has run. `host` is the first part of its endpoint's name."""

    id: str
    host: str
    account: str
    region: str
    image_arn: str
    version: str
    memory_mb: int
    started: float
    most_seconds: int = MOST_SECONDS
    state: str = PENDING
    reason: str | None = None
    ended: float | None = None
    role: str | None = None
    idle: api.IdlePolicy | None = None
    ingress: list[str] = []
    egress: list[str] = []
    logging: api.Logging | None = None
    token: str = ""
    digest: str = ""

    @property
    def name(self) -> str:
        return self.id

    @property
    def arn(self) -> str:
        return f"arn:aws:lambda:{self.region}:{self.account}:microvm:{self.id}"

    def endpoint(self, base: str) -> str:
        """Its host's name, below what the client calls this node."""
        return f"{self.host}.lambda-microvm.{self.region}.{base}"

    def item(self) -> api.MicrovmItem:
        return api.MicrovmItem(
            microvm_id=self.id,
            state=self.state,
            image_arn=self.image_arn,
            image_version=self.version,
            started_at=self.started,
        )

    def answer(self, base: str) -> dict[str, Any]:
        return {
            "microvm_id": self.id,
            "state": self.state,
            "endpoint": self.endpoint(base),
            "image_arn": self.image_arn,
            "image_version": self.version,
            "execution_role_arn": self.role,
            "idle_policy": self.idle,
            "maximum_duration_in_seconds": self.most_seconds,
            "started_at": self.started,
            "terminated_at": self.ended,
            "state_reason": self.reason,
            "ingress_network_connectors": self.ingress,
            "egress_network_connectors": self.egress,
        }
