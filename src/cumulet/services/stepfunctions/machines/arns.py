"""The ARNs of state machines, their versions and their aliases."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from cumulet.api import stepfunctions as api
from cumulet.kernel.arn import Arn

_KINDS = frozenset({"stateMachine", "execution", "activity", "express", "mapRun"})
_VERSION = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)


class MachineArn(NamedTuple):
    """`arn:aws:states:REGION:ACCOUNT:stateMachine:NAME`, with `:VERSION`, `:ALIAS` or `/LABEL` (of a distributed Map) behind it."""

    partition: str
    region: str
    account: str
    name: str
    qualifier: str = ""
    label: str = ""

    @property
    def plain(self) -> str:
        """The ARN of the machine itself."""
        return f"arn:{self.partition}:states:{self.region}:{self.account}:stateMachine:{self.name}"

    @property
    def version(self) -> int | None:
        """The number of the version that is named, if one is."""
        return int(self.qualifier) if _VERSION.fullmatch(self.qualifier) else None

    @property
    def alias(self) -> str:
        """The name of the alias that is named, if one is."""
        return "" if _VERSION.fullmatch(self.qualifier) else self.qualifier


def machine_arn(partition: str, region: str, account: str, name: str) -> str:
    """The ARN of a machine."""
    return MachineArn(partition, region, account, name).plain


@lru_cache(4096)
def parse(text: str) -> MachineArn:
    """The parts of a state machine's ARN; raises InvalidArn as AWS words it."""
    if not text.startswith("arn:"):
        raise api.InvalidArn(f"Invalid Arn: 'Invalid ARN prefix: {text}'")
    try:
        arn = Arn.parse(text)
    except ValueError:
        raise api.InvalidArn(f"Invalid Arn: 'Invalid ARN: {text}'") from None
    kind, _, rest = arn.resource.partition(":")
    if arn.service != "states" or kind not in _KINDS or not rest:
        raise api.InvalidArn(f"Invalid Arn: 'Invalid ARN: {text}'")
    if kind != "stateMachine":
        raise api.InvalidArn(f"Invalid Arn: 'Resource type not valid in this context: {kind}'")
    place, _, qualifier = rest.partition(":")
    name, _, label = place.partition("/")
    return MachineArn(arn.partition, arn.region, arn.account, name, qualifier, label)


def no_such_machine(text: str) -> api.StateMachineDoesNotExist:
    """AWS's answer for a machine, a version or an alias that is not there."""
    return api.StateMachineDoesNotExist(f"State Machine Does Not Exist: '{text}'")
