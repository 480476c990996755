"""What names a key: its id, its ARN, an alias, an alias's ARN."""

import re
from typing import NamedTuple

from cumulet.api import kms as api
from cumulet.kernel.arn import Arn
from cumulet.kernel.call import Call
from cumulet.kernel.ids import new_id, token

_KEY_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|mrk-[0-9a-f]{32}")
_ALIAS = re.compile(r"alias/[a-zA-Z0-9/_-]+")
ALIAS = "alias/"
AWS_ALIAS = "alias/aws/"


class Name(NamedTuple):
    """Where a key is looked for. `alias` is its alias with the prefix, or empty; then `key_id` is its id."""

    account: str
    region: str
    key_id: str
    alias: str = ""

    @property
    def arn(self) -> str:
        return f"arn:aws:kms:{self.region}:{self.account}:{self.alias or f'key/{self.key_id}'}"


def parse(call: Call, text: str) -> Name:
    """The name in a request; raises NotFoundException for what can be none, in AWS's words."""
    account, region, rest = call.account, call.region, text
    if text.startswith("arn:"):
        arn = _arn(text)
        if arn.region != call.region:
            raise api.NotFoundException(f"Invalid arn {arn.region}")
        account, rest = arn.account, arn.resource
        if rest.startswith("key/"):
            rest = rest.removeprefix("key/")
        elif not rest.startswith(ALIAS):
            raise api.InvalidArnException(f"Invalid arn {text}")
    if rest.startswith(ALIAS):
        if _ALIAS.fullmatch(rest) is None:
            raise api.NotFoundException(f"Invalid alias '{rest}'")
        return Name(account, region, "", rest)
    if _KEY_ID.fullmatch(rest) is None:
        raise api.NotFoundException(f"Invalid keyId '{rest}'")
    return Name(account, region, rest)


def _arn(text: str) -> Arn:
    try:
        arn = Arn.parse(text)
    except ValueError:
        raise api.InvalidArnException(f"Invalid arn {text}") from None
    if arn.service != "kms":
        raise api.InvalidArnException(f"Invalid arn {text}")
    return arn


def new_key_id(*, multi_region: bool) -> str:
    """A UUID; multi-region keys' begin with `mrk-` and have no dashes."""
    return f"mrk-{token(16)}" if multi_region else new_id()


def not_found(name: Name) -> api.NotFoundException:
    """What AWS says when nothing has that name."""
    if name.alias:
        return api.NotFoundException(f"Alias {name.arn} is not found.")
    return api.NotFoundException(f"Key '{name.arn}' does not exist")
