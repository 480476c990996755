"""How functions are named: by name, partial ARN or ARN, with or without a qualifier."""

import re
from functools import lru_cache
from typing import NamedTuple, Protocol

from cumulet.kernel.call import Call
from cumulet.services.lambda_.errors import invalid, not_found

LATEST = "$LATEST"
LATEST_PUBLISHED = "$LATEST.PUBLISHED"
"""The version that a function with a capacity provider is when a call names none."""

_NAME = re.compile(
    r"(?:arn:aws[a-zA-Z-]*:lambda:)?(?:(?P<region>(?:eusc-)?[a-z]{2}(?:-gov|-iso[a-z]?)?-[a-z]+-\d):)?"
    r"(?:(?P<account>\d{12}):)?(?:function:)?(?P<name>[a-zA-Z0-9_.-]+)(?::(?P<qualifier>\$LATEST(?:\.PUBLISHED)?|[a-zA-Z0-9_-]+))?"
)


class Owner(Protocol):
    """Whose credentials and logs: a function of whatever kind."""

    @property
    def account(self) -> str: ...

    @property
    def region(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def arn(self) -> str: ...


class FunctionKey(NamedTuple):
    """Which function: the account and region it lives in, and its name."""

    account: str
    region: str
    name: str

    @property
    def arn(self) -> str:
        """Without a qualifier."""
        return f"arn:aws:lambda:{self.region}:{self.account}:function:{self.name}"


class Reference(NamedTuple):
    """A function as a request names it; the qualifier (version, alias or $LATEST) is None when it gives none."""

    key: FunctionKey
    qualifier: str | None

    @property
    def arn(self) -> str:
        return self.key.arn if self.qualifier is None else f"{self.key.arn}:{self.qualifier}"


def refer(call: Call, name: str, qualifier: str | None = None) -> Reference:
    """What `name` (FunctionName) and `qualifier` of a request mean for this caller.

    Raises InvalidParameterValueException when both give different qualifiers, ResourceNotFoundException for another region.
    """
    return _refer(call.account, call.region, name, qualifier)


def refer_from(key: FunctionKey, name: str) -> Reference:
    """What `name` means to a function: the same, for who is where `key` is."""
    return _refer(key.account, key.region, name, None)


@lru_cache(8192)
def _refer(account: str, region: str, name: str, qualifier: str | None) -> Reference:
    match = _NAME.fullmatch(name)
    if match is None:
        raise invalid(f"{name} is not a function name or ARN.")
    if (there := match["region"]) is not None and there != region:
        raise not_found(f"Functions from '{there}' are not reachable in this region ('{region}')")
    derived = match["qualifier"]
    if derived is not None and qualifier is not None and derived != qualifier:
        raise invalid("The derived qualifier from the function name does not match the specified qualifier.")
    key = FunctionKey(match["account"] or account, region, match["name"])
    return Reference(key, qualifier if derived is None else derived)


def is_version(qualifier: str) -> bool:
    """A published version, as opposed to an alias or $LATEST."""
    return qualifier.isdecimal() or qualifier == LATEST_PUBLISHED
