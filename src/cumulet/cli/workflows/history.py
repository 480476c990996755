"""A run, from its history: what each state did, how often, how long."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

_ENDINGS = {"ExecutionSucceeded": "SUCCEEDED", "ExecutionFailed": "FAILED", "ExecutionTimedOut": "TIMED_OUT"}
_ENDINGS["ExecutionAborted"] = "ABORTED"
_FAILED = ("Failed", "TimedOut")


@dataclass
class Visit:
    """One time that a state was entered. Times in seconds since 1970."""

    state: str
    type: str
    entered: float
    status: str = "RUNNING"
    left: float | None = None
    input: str | None = None
    output: str | None = None
    attempts: int = 0
    error: str = ""
    cause: str = ""
    iteration: int | None = None

    @property
    def seconds(self) -> float:
        return 0.0 if self.left is None else max(0.0, self.left - self.entered)


@dataclass
class Visits:
    """All times that a state was entered; the status is that of the last, or what is worse among those at the same time."""

    status: str
    count: int = 0
    retries: int = 0
    seconds: float = 0.0
    error: str = ""
    cause: str = ""


@dataclass
class Run:
    """A whole execution. `news` are visits that changed since they were last taken, in order."""

    status: str = "RUNNING"
    output: str | None = None
    error: str = ""
    cause: str = ""
    visits: dict[int, Visit] = field(default_factory=dict)
    news: list[tuple[str, Visit]] = field(default_factory=list)
    _of_event: dict[int, int | None] = field(default_factory=dict)
    _iterations: dict[int, int | None] = field(default_factory=dict)

    def add(self, event: Mapping[str, Any]) -> None:
        """Take the next event of GetExecutionHistory, whose timestamp is a number of seconds."""
        id, type = int(event["id"]), str(event["type"])
        details = _details(event)
        if type.endswith("StateEntered"):
            visit = Visit(details.get("name", ""), type.removesuffix("StateEntered"), event["timestamp"])
            visit.input = details.get("input")
            visit.iteration = self._iteration(int(event.get("previousEventId", 0)))
            self.visits[id] = visit
            self._of_event[id] = id
            self.news.append(("entered", visit))
            return
        owner = self._owner(type, details, int(event.get("previousEventId", 0)))
        self._of_event[id] = owner
        if type in _ENDINGS:
            self._end(_ENDINGS[type], details, event["timestamp"])
        elif type == "MapIterationStarted":
            self._iterations[id] = details.get("index")
        elif owner is not None:
            self._within(self.visits[owner], type, details, event["timestamp"])

    def _owner(self, type: str, details: Mapping[str, Any], previous: int) -> int | None:
        """Which visit an event belongs to: that of the event before, unless it is the end of a state around that one."""
        owner = self._of_event.get(previous)
        if not type.endswith("StateExited") or (owner is not None and self.visits[owner].state == details.get("name")):
            return owner
        named = [id for id, visit in self.visits.items() if visit.state == details.get("name") and visit.left is None]
        return named[-1] if named else owner

    def _iteration(self, previous: int) -> int | None:
        """The number of the iteration that a state was entered in: of its first state the event before tells it."""
        if previous in self._iterations:
            return self._iterations[previous]
        owner = self._of_event.get(previous)
        return self.visits[owner].iteration if owner in self.visits and owner is not None else None

    def _within(self, visit: Visit, type: str, details: Mapping[str, Any], now: float) -> None:
        if type.endswith("StateExited"):
            visit.status = "CAUGHT" if visit.error else "SUCCEEDED"
            visit.left, visit.output = now, details.get("output")
            self.news.append(("left", visit))
        elif type.endswith("Scheduled"):
            visit.attempts += 1
            if visit.attempts > 1:
                visit.error = visit.cause = ""
        elif type.endswith(_FAILED) or type == "EvaluationFailed":
            visit.error, visit.cause = details.get("error") or "", details.get("cause") or ""
            self.news.append(("failed", visit))

    def _end(self, status: str, details: Mapping[str, Any], now: float) -> None:
        self.status = status
        self.output = details.get("output")
        self.error, self.cause = details.get("error") or "", details.get("cause") or ""
        for visit in self.visits.values():
            if visit.left is None:
                visit.left = now
                visit.status = "ABORTED" if status == "ABORTED" else "FAILED"
                visit.error = visit.error or self.error
                visit.cause = visit.cause or self.cause
                self.news.append(("left", visit))

    def by_state(self) -> dict[str, Visits]:
        """What each state did, by its name."""
        worst = {"RUNNING": 4, "FAILED": 3, "ABORTED": 2, "CAUGHT": 1, "SUCCEEDED": 0}
        found: dict[str, Visits] = {}
        for visit in self.visits.values():
            held = found.setdefault(visit.state, Visits(visit.status))
            if visit.iteration is None or worst[visit.status] >= worst[held.status]:
                held.status, held.error, held.cause = visit.status, visit.error, visit.cause
            held.count += 1
            held.retries += max(0, visit.attempts - 1)
            held.seconds += visit.seconds
        return found


def _details(event: Mapping[str, Any]) -> Mapping[str, Any]:
    for name, value in event.items():
        if name.endswith("EventDetails") and isinstance(value, dict):
            return value
    return {}


def read(events: Iterable[Mapping[str, Any]]) -> Run:
    """The run that a whole history tells of."""
    run = Run()
    for event in events:
        run.add(event)
    return run
