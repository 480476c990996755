"""What a queue and a message are, and the rules that need no store."""

import re
from functools import lru_cache

import msgspec
from msgspec import Struct

from cumulet.kernel.arn import Arn
from cumulet.kernel.call import Call
from cumulet.services.sqs.errors import InvalidParameterValue

LONGEST_WAIT = 20
"""Seconds a receive may wait; what becomes visible later than that wakes nobody who waits now."""
LONGEST_VISIBILITY = 43_200
LARGEST_MESSAGE = 1_048_576
MOST_ENTRIES = 10
MOST_IN_BULK = 400
BULK_BYTES = 4 * 1024 * 1024
"""Of the bodies that one receive gives in bulk, unless ten messages are more."""
MOST_IN_FLIGHT = 120_000
DEDUPLICATION_SECONDS = 300.0
SCOPE_CHANGE_SECONDS = 60.0
"""How long AWS takes to act on another DeduplicationScope."""

_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}")
_FIFO_NAME = re.compile(r"(?=.{1,80}\Z)[A-Za-z0-9_-]+\.fifo")
_ACCOUNT = re.compile(r"\d{12}")
_WILDCARD_DOMAIN = "localhost.localstack.cloud"


class Settings(Struct, frozen=True, omit_defaults=True):
    """A queue's attributes that can be set, parsed. Times in seconds, sizes in bytes; empty text is unset."""

    delay: int = 0
    maximum_size: int = LARGEST_MESSAGE
    retention: int = 345_600
    wait: int = 0
    visibility: int = 30
    redrive_policy: str = ""
    redrive_allow_policy: str = ""
    dead_letter_arn: str = ""
    max_receive_count: int = 0
    kms_key: str = ""
    kms_reuse: int = 300
    managed_sse: bool = True
    fifo: bool = False
    content_deduplication: bool = False
    deduplication_scope: str = "queue"
    throughput_limit: str = "perQueue"
    scope_before: str = ""
    scope_changed: float = 0.0

    def scope(self, now: float) -> str:
        """The deduplication scope in force: a change takes a minute, as recorded from AWS."""
        if self.scope_before and now < self.scope_changed + SCOPE_CHANGE_SECONDS:
            return self.scope_before
        return self.deduplication_scope


class Queue(Struct, frozen=True):
    """A queue. Its messages lie in the box of its number: purging gives it a new, empty one."""

    id: int
    box: int
    account: str
    region: str
    name: str
    created: float
    modified: float
    settings: Settings

    @property
    def arn(self) -> str:
        return str(Arn("sqs", self.region, self.account, self.name))

    @property
    def fifo(self) -> bool:
        return self.settings.fifo

    @property
    def topic(self) -> str:
        return topic(self.box)


class Message(Struct):
    """A message as it lies in a box. `hidden_until` is 0 for one that was visible since it was sent."""

    box: int
    seq: int
    id: str
    body: str
    attributes: bytes | None
    sender: str
    sent: float
    hidden_until: float
    first_received: float | None
    receive_count: int
    group: str | None
    deduplication: str | None
    trace: str | None
    source_arn: str | None

    @property
    def sequence_number(self) -> str:
        return sequence_number(self.seq)


def topic(box: int) -> str:
    """The signal that says that something in this box may have become visible."""
    return f"sqs:{box}"


def sequence_number(seq: int) -> str:
    """Twenty digits, growing, as FIFO queues give them."""
    return str(10_000_000_000_000_000_000 + seq)


def earliest_seq(when: float) -> int:
    """No message sent at `when` or later has a smaller number."""
    return int(when * 1_000_000) << 10


class Sequence:
    """Numbers messages by the microsecond they were sent in; the tag keeps the numbers of two nodes apart."""

    def __init__(self, tag: int) -> None:
        self._tag = tag & 1023
        self._last = 0

    def next(self, now: float) -> int:
        self._last = max(self._last + 1024, earliest_seq(now) | self._tag)
        return self._last


def check_name(name: str, fifo: bool) -> None:
    """AWS's rules for queue names; raises InvalidParameterValue."""
    if fifo and not name.endswith(".fifo"):
        raise InvalidParameterValue(
            "The name of a FIFO queue can only include alphanumeric characters, hyphens, or "
            "underscores, must end with .fifo suffix and be 1 to 80 in length."
        )
    if not (_FIFO_NAME if fifo else _NAME).fullmatch(name):
        raise InvalidParameterValue(
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"
        )


def queue_key(call: Call, url: str) -> tuple[str, str, str]:
    """Account, region and name behind a queue URL of any host form, `account/name`, or a bare name.

    URLs carry no region but for the path form `/queue/<region>/<account>/<name>`; the request's own decides.
    """
    return _key(call.account, call.region, url)


@lru_cache(4096)
def _key(account: str, region: str, url: str) -> tuple[str, str, str]:
    path = url.partition("://")[2].partition("/")[2] if "://" in url else url
    parts = path.strip("/").split("/")
    account = parts[-2] if len(parts) > 1 and _ACCOUNT.fullmatch(parts[-2]) else account
    region = parts[-3] if len(parts) == 4 and parts[0] == "queue" else region
    return account, region, parts[-1]


def queue_url(call: Call, queue: Queue) -> str:
    """The address that works for this caller, whatever name it reaches the node by.

    A domain whose every subdomain is the local host gets the region in front, as AWS's own addresses have it.
    """
    scheme, _, host = call.endpoint.partition("://")
    if _WILDCARD_DOMAIN in host:
        port = host.partition(":")[2]
        host = f"sqs.{queue.region}.{_WILDCARD_DOMAIN}" + (f":{port}" if port else "")
    return f"{scheme}://{host}/{queue.account}/{queue.name}"


def seconds(when: float) -> str:
    return str(int(when))


def milliseconds(when: float) -> str:
    return str(int(when * 1000))


decode_settings = msgspec.json.Decoder(Settings).decode
encode_settings = msgspec.json.Encoder().encode
