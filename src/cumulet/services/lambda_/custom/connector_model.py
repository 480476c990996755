"""What a network connector is: a document with all versions of its configuration.

https://docs.aws.amazon.com/lambda/latest/api/API_core_CreateNetworkConnector.html
"""

from __future__ import annotations

import re
from typing import NamedTuple

from msgspec import Struct

from cumulet.api import lambda_core as api
from cumulet.kernel.call import Call

PENDING, ACTIVE, DELETING = "PENDING", "ACTIVE", "DELETING"
_ARN = re.compile(
    r"arn:aws[a-zA-Z-]*:lambda:([a-z0-9-]+):(\d{12}):network-connector:([a-zA-Z0-9-_]+)(?::([1-9][0-9]{0,17}))?",
    re.ASCII,
)


class ConnectorKey(NamedTuple):
    """Which connector: the account and region it is of, and its name."""

    account: str
    region: str
    name: str

    @property
    def arn(self) -> str:
        return f"arn:aws:lambda:{self.region}:{self.account}:network-connector:{self.name}"


class Version(Struct, frozen=True, kw_only=True):
    """What an update made; it never changes."""

    number: int
    configuration: api.NetworkConnectorConfiguration
    role: str | None = None
    made: float

    def serves(self, kind: str) -> bool:
        """Whether it is for this kind of compute (`WebFunction`, `MicroVm`); one that names none is for all."""
        egress = self.configuration.vpc_egress_configuration
        kinds = egress.associated_compute_resource_types if egress else None
        return not kinds or kind in kinds


class Connector(Struct, frozen=True, kw_only=True):
    """`versions` are in their order, the last is the one in use. `tokens` are the client tokens of what made it, and of its last
    update. What was deleted stays as `gone`, so that deleting it once more is no error."""

    id: str
    versions: tuple[Version, ...]
    modified: float
    tokens: tuple[str | None, str | None] = (None, None)
    gone: bool = False

    @property
    def latest(self) -> Version:
        return self.versions[-1]

    def version(self, number: int | None) -> Version | None:
        """The version with that number, the latest for None; None when there is none."""
        if number is None:
            return self.latest
        return next((version for version in self.versions if version.number == number), None)


class Asked(NamedTuple):
    """What a request's identifier names: an ARN or a name, or else an id; `version` with a qualified ARN."""

    key: ConnectorKey
    version: int | None


def parse(call: Call, identifier: str) -> Asked:
    match = _ARN.fullmatch(identifier)
    if match is None:
        return Asked(ConnectorKey(call.account, call.region, identifier), None)
    return Asked(ConnectorKey(match[2], match[1], match[3]), int(match[4]) if match[4] else None)


def check(configuration: api.NetworkConnectorConfiguration | None) -> None:
    """Raises InvalidParameterValueException."""
    egress = configuration.vpc_egress_configuration if configuration else None
    if egress is None:
        raise api.InvalidParameterValueException("Configuration must have a VpcEgressConfiguration.")
    if not egress.subnet_ids:
        raise api.InvalidParameterValueException("VpcEgressConfiguration must have 1 to 16 SubnetIds.")
