"""The fold of a journal is the run that wrote it, wherever it stopped: workflows at random, with random things happening to them."""

from __future__ import annotations

import json
import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from cumulet.services.stepfunctions import asl
from cumulet.services.stepfunctions.asl.errors import StatesError
from cumulet.services.stepfunctions.engine import journal
from cumulet.services.stepfunctions.engine.frames import Frame, Phase, Run
from cumulet.services.stepfunctions.engine.ports import Done, Facts, Kind, Pending, TaskCall
from cumulet.services.stepfunctions.engine.replay import replay
from cumulet.services.stepfunctions.engine.walker import Walker
from cumulet.services.stepfunctions.limits import Limits
from cumulet.services.stepfunctions.machines.model import Content, Machine, MachineVersion, Revision

PLACE = "arn:aws:states:us-east-1:111122223333"
ROLE = "arn:aws:iam::111122223333:role/workflow"
KINDS = {
    "arn:aws:states:::sqs:sendMessage": Kind("task", "request", "sendMessage", "sqs"),
    "arn:aws:states:::sqs:sendMessage.waitForTaskToken": Kind("task", "token", "sendMessage.waitForTaskToken", "sqs"),
    "arn:aws:states:::states:startExecution.sync": Kind("task", "sync", "startExecution.sync", "states"),
    "arn:aws:lambda:us-east-1:111122223333:function:f": Kind("lambda", "request", "f"),
    f"{PLACE}:activity:a": Kind("activity", "token", f"{PLACE}:activity:a"),
}
RETRY = [{"ErrorEquals": ["Odd"], "IntervalSeconds": 5, "MaxAttempts": 2}]


class Work:
    """What tasks are called; nothing is ever done."""

    def kind(self, resource: str) -> Kind:
        return KINDS[resource]

    def check(self, resource: str, arguments: Any) -> None:
        """All is fine."""

    async def start(self, task: TaskCall) -> Done | Pending:
        raise NotImplementedError

    async def follow(self, task: TaskCall, handle: Any) -> Done:
        raise NotImplementedError

    async def cancel(self, task: TaskCall, handle: Any) -> None:
        raise NotImplementedError


class Builder:
    """Definitions, valid ones, from a source of chance."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.names = 0

    def flow(self, depth: int) -> dict[str, Any]:
        states: dict[str, Any] = {}
        names = [self._name() for _ in range(self.chance.randint(1, 3))]
        for name, following in zip(names, [*names[1:], None], strict=True):
            way = {"End": True} if following is None else {"Next": following}
            states[name] = {**self._state(depth), **way}
        if self.chance.random() < 0.15:
            last = names[-1]
            states[last] = {"Type": "Fail", "Error": "Odd", "Cause": "by chance"}
        return {"StartAt": names[0], "States": states}

    def _name(self) -> str:
        self.names += 1
        return f"S{self.names}"

    def _state(self, depth: int) -> dict[str, Any]:
        kinds = ["Pass", "Assign", "Wait", "Task", "Task"] + (["Parallel", "Map"] * 2 if depth > 0 else [])
        kind = self.chance.choice(kinds)
        state: dict[str, Any] = {"Type": kind}
        if kind == "Pass":
            state["Result"] = self.chance.choice([[1, 2], {"a": 1}, "x", None])
        elif kind == "Assign":
            state = {"Type": "Pass", "Assign": {"v": self.chance.randint(1, 9)}}
        elif kind == "Wait":
            state["Seconds"] = self.chance.randint(1, 20)
        elif kind == "Task":
            state["Resource"] = self.chance.choice(list(KINDS))
            state["Parameters"] = {
                "QueueUrl": "q",
                "MessageBody": "b",
                "StateMachineArn": "s",
                "r.$": "$$.State.RetryCount",
            }
            if self.chance.random() < 0.5:
                state["TimeoutSeconds"] = 30
                state["HeartbeatSeconds"] = 10
        elif kind == "Parallel":
            state["Branches"] = [self.flow(depth - 1) for _ in range(self.chance.randint(1, 3))]
        else:
            state |= {"ItemsPath": "$$.Execution.Input", "MaxConcurrency": self.chance.randint(0, 2)}
            state["ItemProcessor"] = self.flow(depth - 1)
        if kind in ("Task", "Parallel", "Map") and self.chance.random() < 0.5:
            state["Retry"] = RETRY
        return state


class Story:
    """A run, and what happens to it. Time passes by hand."""

    def __init__(self, definition: str, input: str = "[1,2,3]") -> None:
        self.input = input
        self.now = 1_700_000_000.0
        self.work = Work()
        self.walker = Walker(lambda: self.now, Limits(), asl.Patience(), self.work.kind, self.work.check)
        machine = Machine("id", "aws", "us-east-1", "111122223333", "m", "STANDARD", "ACTIVE", 0.0, 1, 0)
        content = Content(definition, ROLE)
        self.compiled = asl.compile(definition, "STANDARD")
        self.version = MachineVersion(
            machine, Revision(machine="id", number=1, revision_id="", created=0.0, content=content), self.compiled
        )
        self.chunks: list[bytes] = []
        self.run = self._run()
        self.walker.begin(self.run)
        self.settle()

    def _run(self) -> Run:
        facts = Facts(
            arn=f"{PLACE}:execution:m:e",
            name="e",
            account="111122223333",
            region="us-east-1",
            machine_arn=f"{PLACE}:stateMachine:m",
            role_arn=ROLE,
            version=self.version,
            started=1_700_000_000.0,
        )
        return Run(facts, self.compiled, 7, self.input, json.loads(self.input), 25_000)

    def settle(self) -> None:
        while (self.run.ready or self.run.elsewhere) and self.run.open:
            self.walker.go_on(self.run)  # the machine was busy with something else
            self.walker.step(self.run, 3)
            self.walker.go_on(self.run)
            self._write()
        self._write()

    def _write(self) -> None:
        if self.run.entries:
            self.chunks.append(journal.encode(*self.run.written()))

    def again(self) -> Run:
        """The run as its journal tells it."""
        run = self._run()
        for chunk in self.chunks:
            replay(run, journal.decode(chunk), self.work)
        return run

    def redrive(self) -> None:
        """It failed, and goes on from there."""
        run = self.again()
        run.emit("ExecutionRedriven", run.last_event, 0, self.now, None, {"redriveCount": 1})
        self.chunks.append(journal.encode(*run.written()))
        self.run = self.again()
        self.run.ready.extend(f for f in self.run.frames.values() if f.phase in (Phase.READY, Phase.BEGIN))
        self.settle()

    def happen(self, chance: random.Random) -> None:
        """Something that a frame waits for."""
        waiting = [frame for frame in self.run.frames.values() if frame.phase in _WAITS]
        frame = chance.choice(waiting)
        self.now += 0.5
        walker, run = self.walker, self.run
        if frame.phase in (Phase.WAIT, Phase.RETRY):
            self.now = max(self.now, frame.due)
            if frame.phase is Phase.WAIT:
                walker.act(run, lambda run: walker.waited(run, frame))
            else:
                frame.phase = Phase.BEGIN
                run.ready.append(frame)
        else:
            self._task(frame, chance)
        self.settle()

    def _task(self, frame: Frame, chance: random.Random) -> None:
        walker, run = self.walker, self.run
        assert frame.work is not None
        pending = frame.phase is Phase.TASK and frame.work.kind.pattern != "request"
        dice = chance.random()
        if pending and dice < 0.4:
            walker.act(run, lambda run: walker.submitted(run, frame, {"id": 1}, {"handle": 1}))
        elif frame.work.kind.family == "activity" and dice < 0.5:
            walker.act(run, lambda run: walker.picked_up(run, frame, "me"))
        elif dice < 0.55:
            walker.act(run, lambda run: walker.beat(run, frame))
        elif dice < 0.75:
            walker.act(run, lambda run: walker.task_failed(run, frame, StatesError("Odd", "by chance")))
        elif dice < 0.8 and frame.work.timeout is not None:
            self.now += 31
            walker.act(run, lambda run: walker.timed_out(run, frame))
        else:
            walker.act(run, lambda run: walker.succeeded(run, frame, {"done": self.now}))


_WAITS = (Phase.WAIT, Phase.RETRY, Phase.TASK, Phase.SUBMITTED)


def _seen(run: Run) -> dict[str, Any]:
    frames = {}
    for frame in run.frames.values():
        work = frame.work
        waits = frame.phase in _WAITS
        frames[frame.id] = {
            "parent": frame.parent.id if frame.parent else None,
            "place": (frame.index, frame.state.name, frame.phase.name, frame.text, json.loads(frame.text)),
            "input": frame.input,
            "events": (frame.tail, frame.entered, frame.before, frame.entered_at),
            "attempts": dict(frame.attempts),
            "variables": dict(frame.variables),
            "item": frame.item,
            "due": frame.due if frame.phase in (Phase.WAIT, Phase.RETRY) else None,
            "work": (work.number, work.token, work.arguments, work.ends, work.silent, work.handle, work.kind)
            if work is not None and waits
            else None,
            "children": [child.id for child in frame.children or ()],
            "results": list(frame.results) if frame.children is not None else None,
            "shared": (frame.items, frame.next_index, frame.left, frame.room) if frame.children is not None else None,
        }
    return {"frames": frames, "last": (run.last_event, run.last_frame)}


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32))
def test_the_fold_is_the_run(seed: int) -> None:
    chance = random.Random(seed)
    story = Story(json.dumps(Builder(chance).flow(2)))
    for _ in range(60):
        if story.run.status == "FAILED" and chance.random() < 0.7:
            story.redrive()
        if not story.run.open:
            break
        assert _seen(story.again()) == _seen(story.run)
        story.happen(chance)
    entries = [entry for chunk in story.chunks for entry in journal.decode(chunk)]
    ids = [entry.id for entry in entries if entry.id]
    assert ids == list(range(1, len(ids) + 1))
    assert all(entry.previous < entry.id for entry in entries if entry.id)
