"""What a function, a version and an alias are, and the rules that need no store."""

import base64
import math
from datetime import UTC, datetime

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from cumulet.api.lambda_ import AliasConfiguration, AliasRoutingConfiguration, FunctionConfiguration, ResolvedS3Object
from cumulet.services.lambda_.names import FunctionKey

PROVISIONED = "provisioned"
"""The kind of setting that holds a `Provision`."""
CREATING = "The function is being created."


class Function(Struct, frozen=True, kw_only=True):
    """What all versions of a function share. `reserved` is its reserved concurrency."""

    next_version: int = 1
    reserved: int | None = None
    recursive_loop: str = "Terminate"
    tags: dict[str, str] = {}


class Version(Struct, frozen=True, kw_only=True):
    """$LATEST or a published version.

    `code` is the id of its package; `deployment` changes with code and configuration, and so names its environments.
    `configuration` is what AWS's answers hold; its FunctionArn is qualified for published versions only.
    `layers` are the ids of its layers' packages, in order. `sealed` is its environment in the store, when it is encrypted
    there. `reference` is the object that its code is, when it was not to be copied; `source_key` what SourceKMSKeyArn said.
    """

    configuration: FunctionConfiguration
    code: str
    deployment: str
    layers: tuple[str, ...] = ()
    sealed: str = ""
    reference: ResolvedS3Object | None = None
    source_key: str | None = None
    image_uri: str = ""
    """Of a function that is an image: its name as the request had it."""

    @property
    def number(self) -> str:
        """$LATEST, or the version's number."""
        return self.configuration.version or ""

    @property
    def pending(self) -> bool:
        return self.configuration.state == "Pending" or self.configuration.last_update_status == "InProgress"

    def changed(self, **members: object) -> "Version":
        """The same with other members of its configuration."""
        return replace(self, configuration=replace(self.configuration, **members))

    def answer(self, arn: str) -> FunctionConfiguration:
        """The configuration as GetFunctionConfiguration shows it to who asked by `arn`."""
        return replace(self.configuration, function_arn=arn)

    def listed(self, arn: str) -> FunctionConfiguration:
        """The configuration as the List operations show it: without the states."""
        return replace(
            self.configuration,
            function_arn=arn,
            state=None,
            state_reason=None,
            state_reason_code=None,
            last_update_status=None,
            last_update_status_reason=None,
            last_update_status_reason_code=None,
            runtime_version_config=None,
        )


class Alias(Struct, frozen=True, kw_only=True):
    """A name for a version, and the share of its calls that goes to another one."""

    name: str
    version: str
    description: str = ""
    revision: str = ""
    weights: dict[str, float] = {}

    def answer(self, key: FunctionKey) -> AliasConfiguration:
        configuration = AliasConfiguration(
            alias_arn=f"{key.arn}:{self.name}",
            name=self.name,
            function_version=self.version,
            description=self.description,
            revision_id=self.revision,
        )
        if self.weights:
            configuration.routing_config = AliasRoutingConfiguration(additional_version_weights=self.weights)
        return configuration


class Provision(Struct, frozen=True):
    """Provisioned concurrency as it was asked for: environments, and when (seconds since 1970)."""

    requested: int
    changed: float


def timestamp(now: float) -> str:
    """LastModified: 2026-01-01T00:00:00.000+0000."""
    return iso(now)[:-1] + "+0000"


def iso(now: float) -> str:
    """2026-01-01T00:00:00.000Z."""
    return datetime.fromtimestamp(math.floor(now * 1000) / 1000, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def code_sha256(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


def environment_size(variables: dict[str, str]) -> int:
    """Bytes of the variables as AWS measures them: as compact JSON."""
    return len(msgspec.json.encode(variables))
