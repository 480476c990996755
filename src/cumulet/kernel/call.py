"""Who is calling, from where: the facts that every operation gets."""

from typing import Literal

from msgspec import Struct


class Principal(Struct, frozen=True):
    """Who is asking, as IAM names them.

    `arn` is what GetCallerIdentity answers (`arn:aws:iam::111122223333:root`, `...:user/ann`,
    `arn:aws:sts::...:assumed-role/name/session`); `id` is its UserId. A service acting for itself has
    its service principal (`s3.amazonaws.com`) as both.
    """

    kind: Literal["root", "user", "assumed-role", "federated-user", "service", "anonymous"]
    arn: str
    id: str
    account: str

    @classmethod
    def root(cls, account: str) -> "Principal":
        """The account itself: nothing is denied to it but by organisation policies."""
        return cls("root", f"arn:aws:iam::{account}:root", account, account)

    @classmethod
    def service(cls, name: str, account: str = "") -> "Principal":
        """An AWS service acting for itself, such as `s3.amazonaws.com`; `account` is whose resource made it act."""
        return cls("service", name, name, account)


ANONYMOUS = Principal("anonymous", "anonymous", "anonymous", "")


class Presence:
    """Of a client that waits for an answer: `gone` once it has hung up, so that nothing may be given to it that it alone would have."""

    __slots__ = ("gone",)

    def __init__(self) -> None:
        self.gone = False


class Call(Struct, frozen=True):
    """One API request: the account and region it acts in, and who sent it.

    `endpoint` is the base address the client used (`http://localhost:4566`, no trailing slash), so that
    answers which hold addresses (queue URLs, Location) work for that client. `source` names the service and
    resource when one service calls another (`aws:SourceArn` in policies), else both are empty. `access_key` is the id of
    the key that signed the request, empty when none did. `bulk`: a part of the platform that moves much may ask for more at
    once than AWS's API gives a client. `presence` tells whether the client is still there; None where the platform itself calls.
    """

    account: str
    region: str
    principal: Principal
    request_id: str
    endpoint: str = "http://localhost:4566"
    source_ip: str = "127.0.0.1"
    source_arn: str = ""
    trace: str = ""
    access_key: str = ""
    bulk: bool = False
    presence: Presence | None = None
