"""How web functions are named, with their revisions and endpoints: by name or ARN."""

import re
from typing import NamedTuple

from cumulet.kernel.call import Call
from cumulet.services.lambda_.web.errors import invalid

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,62}[A-Za-z0-9])?")
_ARN = re.compile(
    r"arn:aws[a-z-]*:lambda:([a-z0-9-]+):(\d{12}):web-function/([^/]+)(?:/(revision|endpoint)/([^/]+))?", re.ASCII
)
_RULE = (
    "letters, numbers, hyphens and underscores, at most 64, and neither begin nor end with a hyphen or an underscore"
)


class WebKey(NamedTuple):
    """Which web function: the account and (home) region it lives in, and its name."""

    account: str
    region: str
    name: str

    @property
    def arn(self) -> str:
        return f"arn:aws:lambda:{self.region}:{self.account}:web-function/{self.name}"

    def revision(self, id: str) -> str:
        """The ARN of a revision."""
        return f"{self.arn}/revision/{id}"

    def endpoint(self, name: str) -> str:
        """The ARN of an endpoint."""
        return f"{self.arn}/endpoint/{name}"


def key_of(call: Call, name: str) -> WebKey:
    """The function that a request means by name or ARN. Raises ValidationException."""
    found = _ARN.fullmatch(name)
    if found is not None and not found[4]:
        if found[1] != call.region:
            raise invalid(f"The web function {name} is not in this Region ({call.region}).")
        return WebKey(found[2], found[1], found[3])
    return WebKey(call.account, call.region, checked(name, "functionName"))


def checked(name: str, member: str) -> str:
    """The name of something that is to be made. Raises ValidationException."""
    if not _NAME.fullmatch(name):
        raise invalid(f"{member} is not valid: it must consist of {_RULE}.")
    return name


def part_of(key: WebKey, kind: str, name: str) -> str:
    """The revision's id or the endpoint's name that a request means by that or an ARN. Raises ValidationException."""
    found = _ARN.fullmatch(name)
    if found is None:
        return name
    if found[4] != kind or WebKey(found[2], found[1], found[3]) != key:
        raise invalid(f"{name} is no {kind} of {key.arn}.")
    return found[5]


def resource_key(arn: str) -> WebKey | None:
    """The function of a function's, a revision's or an endpoint's ARN; None for other texts."""
    found = _ARN.fullmatch(arn)
    return None if found is None else WebKey(found[2], found[1], found[3])
