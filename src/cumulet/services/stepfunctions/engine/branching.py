"""Parallel and Map: frames within a frame, begun, joined."""

from __future__ import annotations

from functools import partial
from typing import Any

from cumulet.kernel.ids import new_id
from cumulet.services.stepfunctions import asl
from cumulet.services.stepfunctions.asl import errors
from cumulet.services.stepfunctions.asl.payload import too_large
from cumulet.services.stepfunctions.engine.frames import Frame, Phase, Run
from cumulet.services.stepfunctions.engine.steps import Steps

_FRAMES = 1_000
"""Iterations and branches of an execution that are under way at once; each Map has one of them at least."""
_HELD = 64
"""Results of branches and iterations that wait for others have so many times the size that a state may pass on."""
_MANY = 500
"""Branches that are begun on a thread."""


class Branching(Steps):
    """What becomes of branches and iterations."""

    def branch(self, run: Run, frame: Frame, state: asl.Parallel) -> None:
        """Begin the branches."""
        if len(state.branches) > _MANY:
            self.patience.leave()
        begun = frame.begun = state.begin(frame.input, self.scope(run, frame))
        input = begun.arguments
        text = frame.text if input is frame.input else self.text(state, input)
        now = self.now()
        frame.tail = run.emit("ParallelStateStarted", frame.tail, frame.id, now, text, None, run.last_frame + 1)
        spread(run, frame, state, input, text)
        run.ready.extend(frame.children or ())

    def map(self, run: Run, frame: Frame, state: asl.Map) -> None:
        """Begin the iterations, or the Map Run."""
        scope = self.scope(run, frame)
        begun = frame.begun = state.begin(frame.input, scope)
        items = begun.items
        data: dict[str, Any] = {"length": 0 if items is None else len(items)}
        if state.mode == "DISTRIBUTED":
            wrong: errors.StatesError | None = None
            try:
                state.distribute(frame.input, begun, scope)
            except errors.StatesError as error:
                wrong = error
            frame.tail = run.emit("MapStateStarted", frame.tail, frame.id, self.now(), None, data)
            if wrong is not None:
                raise wrong
            frame.map_run = _map_run_arn(run, state)
            note = frame.map_run
            data = {"mapRunArn": frame.map_run}
            frame.tail = run.emit("MapRunStarted", frame.tail, frame.id, self.now(), None, data, note)
            frame.phase = Phase.MAP_RUN
            run.effects.append(frame)
            return
        items = items or []
        most = self.limits.inline_concurrency
        room = min(begun.max_concurrency or most, most)
        text = self.encoded(state, items).decode()
        frame.tail = run.emit("MapStateStarted", frame.tail, frame.id, self.now(), text, data, room)
        share(frame, items, room)
        if not items:
            self._join(run, frame)
            return
        self._begin_iterations(run, frame, frame.tail, min(len(items), room))

    def _begin_iterations(self, run: Run, frame: Frame, previous: int, beyond: int) -> None:
        """Begin iterations up to a number."""
        try:
            while frame.next_index < beyond and not (frame.children and len(run.frames) > _FRAMES):
                self.patience.check()
                self._iterate(run, frame, previous)
        except errors.StatesError as error:
            frame.tail = previous
            self.abort_children(run, frame, previous)
            self.refused(run, frame, error)
        except asl.Elsewhere:
            run.elsewhere.append((frame, partial(self._begin_iterations, run, frame, previous, beyond)))

    def _iterate(self, run: Run, frame: Frame, previous: int) -> None:
        """Begin the next iteration."""
        state, begun = frame.state, frame.begun
        assert isinstance(state, asl.Map)
        scope = frame.scope or self.scope(run, frame)
        if begun is None:
            begun = frame.begun = state.begin(frame.input, scope)
        index = frame.next_index
        data = {"name": state.name, "index": index}
        value = frame.items[index]
        input = state.item(frame.input, begun, index, value, scope)
        text = self.text(state, input)
        started = run.emit("MapIterationStarted", previous, frame.id, self.now(), text, data, run.last_frame + 1)
        run.ready.append(iteration(run, frame, state, started, input, text))

    def joined(self, run: Run, frame: Frame, child: Frame, output: Any, text: str) -> None:
        """A branch or an iteration has ended well."""
        frame.results[child.index] = (output, text)
        frame.left -= 1
        run.frames.pop(child.id, None)
        assert frame.children is not None
        frame.children.remove(child)
        frame.held += len(text)
        if frame.held > _HELD * self.limits.payload:
            frame.tail = child.tail
            self.abort_children(run, frame, child.tail)
            self.refused(run, frame, too_large(frame.state.name))
            return
        if isinstance(frame.state, asl.Map):
            data = {"name": frame.state.name, "index": child.index}
            ended = run.emit("MapIterationSucceeded", child.tail, frame.id, self.now(), None, data)
            if frame.next_index < len(frame.items):
                self._begin_iterations(run, frame, child.tail, frame.next_index + 1)
                return
            last = ended
        else:
            last = child.tail
        if frame.left == 0:
            frame.tail = last
            self._join(run, frame)

    def _join(self, run: Run, frame: Frame) -> None:
        """All branches have ended well."""
        state = frame.state
        run.emit(state.kind + "StateSucceeded", frame.tail, frame.id, self.now())
        result, texts = [], []
        for found in frame.results:
            assert found is not None
            result.append(found[0])
            texts.append(found[1])
        self._finish(run, frame, result, f"[{','.join(texts)}]")

    def mapped(self, run: Run, frame: Frame, result: Any) -> None:
        """A distributed Map has ended well."""
        frame.tail = run.emit("MapRunSucceeded", frame.tail, frame.id, self.now())
        run.emit("MapStateSucceeded", frame.tail, frame.id, self.now())
        frame.phase = Phase.BEGIN
        self._finish(run, frame, result, None)

    def map_failed(self, run: Run, frame: Frame, error: errors.StatesError) -> None:
        """A distributed Map has failed."""
        cause = error.wrapped(frame.state.name, frame.entered)
        data = {name: value for name, value in (("error", error.name), ("cause", cause)) if value is not None}
        frame.tail = run.emit("MapRunFailed", frame.tail, frame.id, self.now(), None, data)
        frame.phase = Phase.BEGIN
        self.failed(run, frame, (error.name,), cause)

    def _finish(self, run: Run, frame: Frame, result: Any, text: str | None) -> None:
        frame.phase = Phase.BEGIN
        frame.children, frame.results, frame.items = None, [], []
        self.attempt(run, frame, partial(self.finish, run, frame, result, text))


def spread(run: Run, frame: Frame, state: asl.Parallel, input: Any, text: str) -> None:
    """The frames of a Parallel's branches."""
    frame.children, frame.results, frame.left = [], [None] * len(state.branches), len(state.branches)
    frame.phase, frame.held = Phase.CHILDREN, 0
    for index, branch in enumerate(state.branches):
        child = run.add(branch, frame, index, frame.tail)
        child.ready(branch.start_at, input, text)
        frame.children.append(child)


def share(frame: Frame, items: list[Any], room: int) -> None:
    """What an inline Map has to do."""
    frame.items, frame.room, frame.next_index, frame.left, frame.held = items, room, 0, len(items), 0
    frame.children, frame.results = [], [None] * len(items)
    frame.phase = Phase.CHILDREN


def iteration(run: Run, frame: Frame, state: asl.Map, started: int, input: Any, text: str) -> Frame:
    """The frame of the next iteration of an inline Map."""
    index = frame.next_index
    frame.next_index += 1
    child = run.add(state.processor, frame, index, started)
    child.item = {"Index": index, "Value": frame.items[index]}
    child.ready(state.processor.start_at, input, text)
    assert frame.children is not None
    frame.children.append(child)
    return child


def _map_run_arn(run: Run, state: asl.Map) -> str:
    machine = run.facts.machine_arn.replace(":stateMachine:", ":mapRun:")
    return f"{machine}/{state.label or new_id()}:{new_id()}"
