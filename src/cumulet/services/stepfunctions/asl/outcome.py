"""What a state's beginning and end give."""

from __future__ import annotations

from typing import Any

from msgspec import Struct


class Begun(Struct):
    """A state that has begun: what is to be done before it can finish. What does not apply is None.

    * ``arguments``: Task: what the integration is given; Parallel: the input of every branch; Pass: its value;
      Map: the input of the Map after InputPath (JSONata: the state's input).
    * ``items``: inline Map and distributed Map without ItemReader: the items (a list; for an object, see ``keys``).
    * ``keys``: distributed Map over an object: the items' keys, in the same order.
    * ``max_concurrency``: Map: 0 is "no limit".
    * ``seconds`` / ``timestamp``: Wait: seconds from now, or seconds since 1970.
    * ``error`` / ``cause``: Fail.
    * ``timeout`` / ``heartbeat``: Task: seconds, or None; ``credentials``: Task: an object.
    * ``trace``: what TestState shows (``afterInputPath``, ...), as JSON values; None unless it was asked for.
    """

    arguments: Any = None
    trace: dict[str, Any] | None = None
    items: list[Any] | None = None
    keys: list[str] | None = None
    max_concurrency: int = 0
    seconds: float | None = None
    timestamp: float | None = None
    error: str | None = None
    cause: str | None = None
    timeout: int | None = None
    heartbeat: int | None = None
    credentials: dict[str, Any] | None = None


class Finished(Struct):
    """A state that has ended well, or was caught.

    ``output`` is JSON values; it *is* the input (the same object) where a state passes it on, so its text need not
    be made again. ``assigned``: the variables it sets, or None. ``next``: the state that follows, None at the end.
    ``index``: which Catch or Choice rule it was, None for the default and for other states.
    """

    output: Any
    assigned: dict[str, Any] | None = None
    next: str | None = None
    index: int | None = None
    trace: dict[str, Any] | None = None


class Retry:
    """A failure is to be tried again: ``index`` of the retrier, whose counter the engine adds one to; after ``seconds``."""

    __slots__ = ("index", "seconds")

    def __init__(self, index: int, seconds: float) -> None:
        self.index = index
        self.seconds = seconds


class Distribution:
    """What a distributed Map is to do, all fields evaluated.

    * ``reader``: resource ARN, ``arguments`` (what it reads), ``config`` (ReaderConfig, ``MaxItems`` resolved), or None
    * ``writer``: the same with ``config`` WriterConfig, or None
    * ``batcher``: ``max_items``, ``max_bytes`` (None: no limit), ``batch_input`` (``has_input``), or None
    * ``tolerated_count``, ``tolerated_percentage``: None where not given.
    """

    __slots__ = ("batcher", "reader", "tolerated_count", "tolerated_percentage", "writer")

    def __init__(self) -> None:
        self.reader: Transfer | None = None
        self.writer: Transfer | None = None
        self.batcher: Batching | None = None
        self.tolerated_count: int | None = None
        self.tolerated_percentage: float | None = None


class Transfer:
    """An ItemReader or a ResultWriter: ``resource`` ARN (None: only a WriterConfig), its ``arguments`` and ``config``."""

    __slots__ = ("arguments", "config", "resource")

    def __init__(self, resource: str | None, arguments: Any, config: dict[str, Any]) -> None:
        self.resource = resource
        self.arguments = arguments
        self.config = config


class Batching:
    """An ItemBatcher: at most ``max_items`` items and ``max_bytes`` bytes a batch; ``batch_input`` where ``has_input``."""

    __slots__ = ("batch_input", "has_input", "max_bytes", "max_items")

    def __init__(self, max_items: int | None, max_bytes: int | None, has_input: bool, batch_input: Any) -> None:
        self.max_items = max_items
        self.max_bytes = max_bytes
        self.has_input = has_input
        self.batch_input = batch_input
