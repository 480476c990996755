"""An execution in memory: where each of its branches is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import Any

from msgspec import Struct

from cumulet.services.stepfunctions import asl
from cumulet.services.stepfunctions.engine.journal import Row
from cumulet.services.stepfunctions.engine.ports import Facts, Kind, Status

FOREVER = 1e15
"""When an execution is due that waits for others alone."""
_LARGE = 1 << 15
_NOTHING: Mapping[str, Any] = {}


class Phase(IntEnum):
    """What a frame waits for."""

    READY = 0  # to enter `state`
    BEGIN = 1  # to begin the state that it has entered, once more
    WAIT = 2  # a Wait's moment, `due`
    RETRY = 3  # the moment of the next attempt, `due`
    TASK = 4  # a task that is to be started, or is
    SUBMITTED = 5  # a task that goes on elsewhere
    CHILDREN = 6  # branches or iterations
    MAP_RUN = 7  # a distributed Map
    DONE = 8
    PAUSED = 9  # a debugger


class Work(Struct):
    """A task under way. `number` counts the attempts of its frame; times in seconds since 1970, None for no limit."""

    state: str
    resource: str
    number: int
    kind: Kind
    arguments: Any
    credentials: dict[str, Any] | None
    token: str = ""
    timeout: float | None = None
    heartbeat: float | None = None
    ends: float | None = None
    silent: float | None = None
    handle: Any = None
    again: bool = False
    offered: bool = False
    """To an activity's workers, none of whom has taken it: a crash may lose the offer."""

    @property
    def due(self) -> float:
        """When something is to be done about it, if nothing comes before."""
        return min(self.ends or FOREVER, self.silent or FOREVER)


class Frame:
    """A place where states run one after the other: the machine itself, a branch of a Parallel, an iteration of a Map.

    `tail` is the last event on this way, `before` the one before the current state, `entered` that of its entry. `text` is the
    JSON of `input`. `item` is `Map.Item` of the context. A frame with children has their `results`: value and text, by index; `held` is
    how long those texts are.
    """

    __slots__ = (
        "attempts", "before", "begun", "children", "due", "entered", "entered_at", "flow", "held", "id", "index", "input", "item",
        "items", "left", "map_run", "next_index", "number", "parent", "phase", "results", "room", "scope", "state", "tail", "text", "variables",
        "work",
    )  # fmt: skip

    def __init__(self, id: int, flow: asl.Flow, parent: Frame | None, index: int, tail: int) -> None:
        self.id = id
        self.flow = flow
        self.parent = parent
        self.index = index
        self.tail = tail
        self.state: asl.State = flow.states[flow.start_at]
        self.input: Any = None
        self.text = "null"
        self.variables: Mapping[str, Any] = parent.variables if parent is not None else _NOTHING
        self.item: dict[str, Any] | None = parent.item if parent is not None else None
        self.phase = Phase.READY
        self.before = self.entered = 0
        self.entered_at = 0.0
        self.attempts: dict[int, int] = {}
        self.number = 0
        self.due = FOREVER
        self.begun: asl.Begun | None = None
        self.scope: asl.Scope | None = None
        self.work: Work | None = None
        self.children: list[Frame] | None = None
        self.results: list[tuple[Any, str] | None] = []
        self.items: list[Any] = []
        self.next_index = self.left = self.room = self.held = 0
        self.map_run = ""

    def ready(self, name: str, input: Any, text: str) -> None:
        """To enter a state of its flow next."""
        self.state = self.flow.states[name]
        self.input, self.text = input, text
        self.phase = Phase.READY

    @property
    def retries(self) -> int:
        return sum(self.attempts.values())


class TooManyEvents(Exception):
    """The history is full."""


class Run:
    """An execution that is in memory.

    `entries` are not durable yet, `texts` theirs and their places; `effects` are to be caused once they are: frames whose task or Map Run is to be begun, and
    those whose is not wanted any more. `elsewhere` is what takes longer than the event loop can be held: frames, and what is to be
    done with them once more, on a thread. `durable` is the last event that is in the store. `number` is the execution's
    there, `chunks` how many of its journal are. `transitions` are those that are not counted for the bill yet.
    """

    __slots__ = (
        "after", "again", "alarm", "breaks", "cause", "chunks", "deadline", "driving", "due", "durable", "effects", "elsewhere", "entries",
        "error", "facts", "following", "frames", "inbox", "input", "items", "last_event", "last_frame", "machine", "most_events",
        "number", "output", "paused", "ready", "redriven", "redrives", "shared", "started_work", "status", "stopped", "text", "texts", "transitions", "unwanted", "waiting",
    )  # fmt: skip

    def __init__(self, facts: Facts, machine: asl.Flow, number: int, text: str, input: Any, most_events: int) -> None:
        self.facts = facts
        self.machine = machine
        self.number = number
        self.text = text
        self.input = input
        self.most_events = most_events
        self.status: Status = "RUNNING"
        self.stopped: float | None = None
        self.output: str | None = None
        self.error: str | None = None
        self.cause: str | None = None
        self.redrives = 0
        self.redriven: float | None = None
        self.items = 0
        self.deadline = FOREVER
        self.due = 0.0
        self.again = False
        self.alarm = FOREVER
        self.chunks = 0
        self.last_event = self.durable = 0
        self.last_frame = 0
        self.frames: dict[int, Frame] = {}
        self.entries: list[Row] = []
        self.texts: dict[str, int] = {}
        self.transitions = 0
        self.ready: list[Frame] = []
        self.elsewhere: list[tuple[Frame, Callable[[], None]]] = []
        self.started_work: list[Frame] = []
        self.effects: list[Frame] = []
        self.unwanted: list[tuple[Frame, Work | None]] = []
        self.after: list[Callable[[], None]] = []
        self.inbox: list[Callable[[Run], None]] = []
        self.driving = False
        self.waiting: dict[tuple[int, int], asyncio.Task[None]] = {}
        self.following: set[tuple[int, int]] | None = None
        self.breaks: frozenset[str] = frozenset()
        self.paused: dict[int, Frame] = {}
        self.shared: dict[str, Any] | None = None

    @property
    def open(self) -> bool:
        return self.status == "RUNNING"

    def emit(
        self,
        type: str,
        previous: int,
        frame: int,
        at: float,
        text: str | None = None,
        data: dict[str, Any] | None = None,
        note: Any = None,
    ) -> int:
        """Write an event down; gives its id. Raises TooManyEvents where only the last one still fits."""
        id = self.last_event + 1
        if id >= self.most_events:
            raise TooManyEvents
        self.last_event = id
        place = -1 if text is None else self.texts.setdefault(text, len(self.texts))
        self.entries.append((id, previous, type, at, frame, place, data, note))
        return id

    def note(self, kind: str, frame: int, at: float, note: Any) -> None:
        """Write down what is no event."""
        self.entries.append((0, 0, kind, at, frame, -1, None, note))

    def written(self) -> tuple[list[Row], dict[str, int]]:
        """The entries that are to become durable now, and their texts."""
        entries, texts = self.entries, self.texts
        self.entries, self.texts = [], {}
        return entries, texts

    def add(self, flow: asl.Flow, parent: Frame | None, index: int, tail: int) -> Frame:
        """A new frame; ids are given in order, so that a fold gives the same."""
        self.last_frame += 1
        frame = self.frames[self.last_frame] = Frame(self.last_frame, flow, parent, index, tail)
        return frame

    def rest(self) -> None:
        """Nothing of it is under way: let go of what can be made again."""
        self.shared = None
        for frame in self.frames.values():
            frame.scope = None

    @property
    def large(self) -> bool:
        """It takes more memory than is kept for what only waits."""
        return sum(len(frame.text) for frame in self.frames.values()) + len(self.text) > _LARGE

    def drop_children(self, frame: Frame) -> None:
        """Forget the branches or iterations of a frame, however deep."""
        for child in frame.children or ():
            self.drop_children(child)
            self.frames.pop(child.id, None)
        frame.children = None

    def next_due(self) -> float:
        """When something is to be done, if nothing comes before; 0 when something is under way in this process."""
        due = self.deadline
        for frame in self.frames.values():
            phase = frame.phase
            if phase in (Phase.WAIT, Phase.RETRY):
                due = min(due, frame.due)
            elif phase in (Phase.TASK, Phase.SUBMITTED):
                assert frame.work is not None
                due = min(due, frame.work.due)
        return due

    @property
    def quiet(self) -> bool:
        """Nothing of it is under way in this process: it only waits, and may leave memory."""
        if self.inbox or self.ready or self.entries or self.effects or self.waiting or self.paused:
            return False
        if any(frame.phase is Phase.SUBMITTED and frame.work and frame.work.offered for frame in self.frames.values()):
            return False
        return all(
            frame.phase not in (Phase.READY, Phase.BEGIN, Phase.TASK, Phase.MAP_RUN) for frame in self.frames.values()
        )
