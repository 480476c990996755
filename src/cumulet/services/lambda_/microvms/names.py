"""How images, MicroVMs and network connectors are named."""

import re
from typing import NamedTuple

from cumulet.kernel.call import Call
from cumulet.services.lambda_.microvms.errors import invalid

MANAGED = "al2023-1"
MANAGED_VERSIONS = ("1", "0")
"""Those that are listed, newest first."""
_VERSIONS = frozenset({*MANAGED_VERSIONS, "1.0", "0.0"})
DEFAULT_BASE = "1.0"
_ARN = re.compile(r"arn:aws[a-z-]*:lambda:([a-z0-9-]+):(\d{12}|aws):microvm-image:([a-zA-Z0-9-_]+)", re.ASCII)
_VM_ARN = re.compile(r"arn:aws[a-z-]*:lambda:([a-z0-9-]+):(\d{12}):microvm:(.+)", re.ASCII)
_CONNECTOR = re.compile(
    r"arn:aws[a-z-]*:lambda:([a-z0-9-]+):(?:aws:network-connector:aws-network-connector:([A-Z_]+)"
    r"|(\d{12}):network-connector:([a-zA-Z0-9-_]+))",
    re.ASCII,
)
_NAME = re.compile(r"[a-zA-Z0-9-_]{1,64}", re.ASCII)
HTTP, SHELL, ALL, NONE, INTERNET = "HTTP_INGRESS", "SHELL_INGRESS", "ALL_INGRESS", "NO_INGRESS", "INTERNET_EGRESS"
_INGRESS = frozenset({HTTP, SHELL, ALL, NONE})
_EGRESS = frozenset({INTERNET})


class ImageKey(NamedTuple):
    """Which image: the account and region it lives in, and its name."""

    account: str
    region: str
    name: str

    @property
    def arn(self) -> str:
        return f"arn:aws:lambda:{self.region}:{self.account}:microvm-image:{self.name}"


def key_of(call: Call, identifier: str) -> ImageKey:
    """The image that a request means by ARN or name. Raises ValidationException."""
    found = _ARN.fullmatch(identifier)
    if found is None:
        if not _NAME.fullmatch(identifier):
            raise invalid(f"Invalid MicroVM image identifier: {identifier}")
        return ImageKey(call.account, call.region, identifier)
    if found[1] != call.region:
        raise invalid(f"The MicroVM image {identifier} is not in this Region ({call.region}).")
    return ImageKey(found[2], found[1], found[3])


def arn_of(call: Call, name: str) -> str:
    """The ARN of a managed image."""
    return f"arn:aws:lambda:{call.region}:aws:microvm-image:{name}"


def check_base(call: Call, arn: str, version: str | None) -> None:
    """Whether it is a managed image of this region. Raises ValidationException."""
    found = _ARN.fullmatch(arn)
    if found is None or found[2] != "aws" or found[3] != MANAGED or found[1] != call.region:
        raise invalid(
            f"The base image {arn} is no managed MicroVM image of this Region: ListManagedMicrovmImages shows them."
        )
    if version is not None and version not in _VERSIONS:
        raise invalid(f"The base image {arn} has no version {version}: ListManagedMicrovmImageVersions shows them.")


def vm_id(call: Call, identifier: str) -> str:
    """The id of a MicroVM that a request means by id or ARN."""
    found = _VM_ARN.fullmatch(identifier)
    return found[3] if found is not None and (found[2], found[1]) == (call.account, call.region) else identifier


def managed_connector(call: Call, name: str) -> str:
    """The ARN of a connector that AWS provides."""
    return f"arn:aws:lambda:{call.region}:aws:network-connector:aws-network-connector:{name}"


def connector_kind(arn: str) -> str:
    """Which of AWS's connectors it is; empty for a customer's."""
    found = _CONNECTOR.fullmatch(arn)
    return (found[2] or "") if found is not None else ""


def check_connectors(call: Call, arns: list[str], *, ingress: bool) -> None:
    """Whether they may be used in that direction. Raises ValidationException."""
    way, known = ("ingress", _INGRESS) if ingress else ("egress", _EGRESS)
    for arn in arns:
        found = _CONNECTOR.fullmatch(arn)
        own = found is not None and bool(found[3])
        if found is None or found[1] != call.region or (own and ingress) or (not own and found[2] not in known):
            raise invalid(f"Invalid {way} network connector: {arn}")
    if len(set(arns)) < len(arns):
        raise invalid(f"The {way} network connectors must be different ones.")
    if ingress and len(arns) > 1 and any(connector_kind(arn) == NONE for arn in arns):
        raise invalid(f"{NONE} cannot be combined with other ingress network connectors.")
