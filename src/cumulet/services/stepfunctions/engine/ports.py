"""What the engine and the parts around it ask of each other: tasks, distributed Maps, state machines, logs, status changes.

The engine decides and remembers; it knows no service. `tasks/` has work done, `maps/` shares items out over child executions,
`machines/` knows definitions. All are told what an execution is by `Facts`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol

from msgspec import Struct

if TYPE_CHECKING:
    from cumulet.services.stepfunctions import asl
    from cumulet.services.stepfunctions.apart import Apart
    from cumulet.services.stepfunctions.machines.model import MachineVersion

UNWANTED = "unwanted"
"""Of the cancellation of what an execution does not want any more; a node that ends cancels with nothing to say."""
Status = Literal["RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED", "PENDING_REDRIVE"]


class Facts(Struct, frozen=True, kw_only=True):
    """What everybody may know of an execution; none of it changes while it runs.

    `version` is the machine as it was when the execution began. `started` is in seconds since 1970. `map_run` is the ARN of the
    Map Run that a child execution belongs to, `flow` the name of the Map state whose processor it runs; both are empty otherwise.
    """

    arn: str
    name: str
    account: str
    region: str
    machine_arn: str
    role_arn: str
    version: MachineVersion
    started: float
    trace: str | None = None
    map_run: str = ""
    flow: str = ""

    @property
    def express(self) -> bool:
        return ":express:" in self.arn


class Kind(Struct, frozen=True):
    """How the history tells of a task: by which events, and as what.

    `family`: `lambda` for a function's ARN (LambdaFunctionScheduled ...), `activity` (ActivityScheduled ...), else `task`.
    `pattern`: who says that it is done: `request` the call's answer, `sync` what `follow` finds, `token` whoever has the token.
    An activity's is `token`. `resource_type` and `resource` are those of TaskScheduled (`sqs`, `sendMessage.waitForTaskToken`);
    for `lambda` and `activity`, `resource` is the ARN.
    """

    family: Literal["lambda", "activity", "task"]
    pattern: Literal["request", "sync", "token"]
    resource: str
    resource_type: str = ""
    region: str | None = None
    """Where it is not the execution's own."""


class HttpExchange(Struct):
    """What an HTTP Task sent and was answered, for who tries the state out: members of TestState's request and response.

    `reveal`: with what its connection added, secrets included.
    """

    reveal: bool
    request: dict[str, str] = {}
    response: dict[str, str] = {}


class TaskCall(Struct, kw_only=True):
    """A task to be done: one attempt of one Task state.

    `id` names this attempt for ever: after a crash the same attempt is started again with it, so it is good for client tokens
    and names. `resource` is the ARN as written. `token` is there for `token` and `sync` kinds. Seconds for `timeout` and `heartbeat`.
    """

    id: str
    facts: Facts
    state: str
    resource: str
    arguments: Any
    credentials: dict[str, Any] | None = None
    token: str = ""
    timeout: float | None = None
    heartbeat: float | None = None
    again: bool = False
    """The node died after it had begun this attempt: it may have had effects."""
    exchange: HttpExchange | None = None
    """Where an HTTP Task tells what it did."""


class Done(Struct):
    """A task's result (JSON values)."""

    output: Any


class Pending(Struct):
    """A task that goes on: `output` is for TaskSubmitted, `handle` (JSON values) for `follow` and `cancel`, also after a crash."""

    output: Any = None
    handle: Any = None


class Tasks(Protocol):
    """What has work done. All of its failures are `asl.StatesError`; set its `stage` where it failed before it had begun."""

    def kind(self, resource: str) -> Kind:
        """How the history tells of this resource; kept by text, so that it costs nothing."""
        ...

    def check(self, resource: str, arguments: Any) -> None:
        """Before TaskScheduled is written: raises States.Runtime for arguments that could not be used to start the task at all.

        The state fails with it as with an error of its own fields: no task events are written.
        """
        ...

    async def start(self, task: TaskCall) -> Done | Pending:
        """Have it done. Cancelled when the execution ends or the task times out."""
        ...

    async def follow(self, task: TaskCall, handle: Any) -> Done:
        """Wait for the end of a `sync` task; `task.arguments` are those it was started with."""
        ...

    async def cancel(self, task: TaskCall, handle: Any) -> None:
        """It is not wanted any more (the execution was stopped, another branch failed, it timed out); never raises."""
        ...


class MapCall(Struct, kw_only=True):
    """A distributed Map to be run. `map_run` is the ARN of its Map Run, under which it is found again after a crash.

    `input` is the state's input, `begun` what `state.begin` gave, `scope` what it sees, `distribution` what `state.distribute`
    gave. `apart` evaluates what may take long.
    """

    map_run: str
    facts: Facts
    state: asl.Map
    input: Any
    begun: asl.Begun
    scope: asl.Scope
    distribution: asl.Distribution
    apart: Apart
    again: bool = False
    """It was begun before the node died, or is redriven."""
    redriven: int = 0
    """How often it was redriven: the children that failed are to run again where this has grown."""


class Maps(Protocol):
    """What shares the items of a distributed Map out over child executions."""

    async def run(self, call: MapCall) -> Any:
        """The Map's result (JSON values). Raises StatesError. Cancelled with UNWANTED when the execution is aborted: stop the
        children then."""
        ...


class Machines(Protocol):
    """What knows state machines."""

    async def find(self, arn: str) -> MachineVersion:
        """The machine, version or alias to start an execution of. Raises the AWS error when there is none."""
        ...

    async def revision(self, key: str) -> MachineVersion:
        """What an execution began with, by `MachineVersion.key`; it outlives updates and the machine itself.

        Raises StateMachineDoesNotExist when there never was one.
        """
        ...


class Ended(Struct, kw_only=True):
    """How an execution ended. `output` is JSON text, None unless it SUCCEEDED; times in seconds since 1970."""

    arn: str
    name: str
    machine_arn: str
    status: Status
    started: float
    stopped: float
    input: str
    output: str | None = None
    error: str | None = None
    cause: str | None = None


class Child(Struct, kw_only=True):
    """A child execution of a distributed Map: `name` names it within its Map Run, and is the same after a crash.

    `label` is the Map's (its ARN has it), `type` STANDARD or EXPRESS, `input` JSON text, `items` how many items it has.
    """

    parent: Facts
    map_run: str
    state: str
    label: str
    name: str
    type: Literal["STANDARD", "EXPRESS"]
    input: str
    items: int = 1
    redriven: int = 0

    @property
    def arn(self) -> str:
        """`execution:MACHINE/LABEL:NAME`; that of an Express one ends with a second id."""
        kind = "express" if self.type == "EXPRESS" else "execution"
        place = f"{self.parent.machine_arn.replace(':stateMachine:', f':{kind}:')}/{self.label}"
        return f"{place}:{self.name}" + (f":{self.name}" if kind == "express" else "")


class Engine(Protocol):
    """What `tasks/`, `maps/` and `machines/` may ask of the engine."""

    async def run_child(self, child: Child) -> Ended:
        """Start a child, or find it again, and wait for its end. Cancelling stops waiting, not the child: see `stop`."""
        ...

    async def ended(self, arn: str) -> Ended:
        """Wait for the end of an execution. Raises ExecutionDoesNotExist."""
        ...

    async def stop(self, arn: str, error: str | None = None, cause: str | None = None) -> float:
        """Abort an execution, and give the time of its end. Raises ExecutionDoesNotExist."""
        ...

    async def activity_started(self, token: str, worker: str) -> bool:
        """A worker takes the task of this token; False when nobody waits for it any more."""
        ...

    async def drained(self, machine_arn: str) -> None:
        """Wait until no execution of a machine runs: then it may be deleted."""
        ...

    async def forget(self, machine_arn: str) -> None:
        """Delete all executions of a machine that is deleted."""
        ...


class Log(Protocol):
    """Where executions log (`logging.py`). Called off the path of the answer, in order; must not block."""

    def events(self, facts: Facts, events: Sequence[Mapping[str, Any]], redrives: int) -> None:
        """Events that were written, after so many redrives: `id`, `previousEventId`, `timestamp` (seconds), `type`, and `details` as in the history."""
        ...


class Notices(Protocol):
    """Who is told that an execution began or ended: EventBridge and metrics, once they are here."""

    def changed(self, facts: Facts, status: Status) -> None:
        """After it is durable."""
        ...
