"""The invocations that one environment serves at once.

A timeout is told to who waits for that invocation alone: the function's code goes on, and holds its place until it answers.
https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-execution-environment.html
"""

import asyncio
import re
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Protocol

import msgspec

from cumulet.compute import documents
from cumulet.compute.channel import Frame
from cumulet.compute.concurrent_api import ConcurrentApi, Delivery
from cumulet.compute.ended import Ended, told
from cumulet.compute.guests import Guests
from cumulet.compute.model import FunctionSpec, Invocation, Outcome
from cumulet.compute.response_stream import Collected, ResponseStream
from cumulet.compute.runtimes.inside import frames
from cumulet.compute.sandbox import messages

_ANSWERS = frozenset({frames.RESPONSE, frames.ERROR, frames.LAST_ERROR})
_OWNER = re.compile(rb'"(?:requestId|AWSRequestId|function_request_id)": ?"([^"]{1,64})"')
_KEPT_LINES = 256


class Host(Protocol):
    """The environment."""

    id: str
    guests: Guests | None

    def drain_logs(self) -> None: ...

    def max_memory(self, spec: FunctionSpec) -> int: ...

    def out_of_memory(self) -> bool: ...

    async def ending(self) -> messages.Message: ...

    def kill(self) -> None: ...


class _WorkerEnd(msgspec.Struct):
    worker: int
    signal: int = 0
    status: int = 0


class Place:
    """One invocation in the environment; `overdue` when who waited was told that it takes too long."""

    __slots__ = ("answer", "delivery", "invocation", "lines", "overdue", "parts")

    def __init__(self, invocation: Invocation, loop: asyncio.AbstractEventLoop) -> None:
        self.invocation = invocation
        self.answer: asyncio.Future[Frame] = loop.create_future()
        self.parts: ResponseStream | Collected | None = invocation.stream
        self.lines: deque[bytes] = deque(maxlen=_KEPT_LINES)
        self.overdue = False
        self.delivery: Delivery


class Crowd:
    """Of one environment. `on_room` is called when an invocation has left it."""

    def __init__(self, spec: FunctionSpec, api: ConcurrentApi, host: Host) -> None:
        self.api = api
        self.on_room: Callable[[], None] | None = None
        self._spec = spec
        self._host = host
        self._loop = asyncio.get_running_loop()
        self._places: dict[str, Place] = {}
        self._overdue = 0
        self._ended: Ended | None = None
        self._ending: asyncio.Task[messages.Message] | None = None

    @property
    def load(self) -> int:
        """Invocations that the runtime has, those that nobody waits for any more included."""
        return len(self._places)

    def has(self, request_id: str) -> bool:
        """Whether the runtime still works at an earlier attempt of an invocation, whose answer would be taken for the next's."""
        return request_id in self._places

    @property
    def stuck(self) -> bool:
        """Whether all it could serve is held by invocations that nobody waits for any more."""
        return self._overdue >= self._spec.concurrency

    async def invoke(self, invocation: Invocation, limit: float) -> Outcome:
        """Give it an event and wait for the answer, `limit` seconds at most. Never raises what the function does."""
        place = Place(invocation, self._loop)
        delivery = place.delivery = Delivery(invocation, partial(self._on_frame, place))
        self._places[invocation.request_id] = place
        guests = self._host.guests
        if guests is not None:
            guests.began(invocation)
        if invocation.stream is not None:
            invocation.stream.attach(partial(_pause, delivery), partial(_resume, delivery))
        timer = self._loop.call_later(limit, self._time_out, place)
        started = time.perf_counter()
        try:
            if self._ended is not None:
                raise self._ended
            self.api.submit(delivery)
            kind, payload = await place.answer
            outcome = self._outcome(place, kind, payload, time.perf_counter() - started)
        except Ended as ended:
            outcome = await self._broken(place, ended, started)
        except asyncio.CancelledError:
            self._give_up(place)  # nobody waits for its answer any more
            raise
        finally:
            timer.cancel()
        if guests is not None:
            guests.answered(invocation, outcome)
            guests.report(invocation, outcome)
        return outcome

    def fail(self, ended: Ended) -> None:
        """The environment is at its end, and with it every invocation."""
        if self._ended is None:
            self._ended = ended
            for place in list(self._places.values()):
                _end(place, ended)
            self._places.clear()

    def worker_ended(self, document: bytes) -> None:
        """A process or thread of the runtime is gone: what it had fails, the others go on, unless memory was short."""
        try:
            end = msgspec.json.decode(document, type=_WorkerEnd)
        except msgspec.DecodeError:
            return
        if self._host.out_of_memory():
            self._host.kill()  # none of the others can be sure of its memory
            return
        how = {"signal": end.signal} if end.signal else {"status": end.status}
        for delivery in self.api.worker_ended(b"%d" % end.worker):
            place = self._places.get(delivery.invocation.request_id)
            if place is not None:
                _end(place, WorkerGone(how))
                self._leave(place)

    def line(self, line: bytes) -> None:
        """Something was logged; it belongs to the invocation that it names, if any."""
        owner = _OWNER.search(line)
        place = self._places.get(owner[1].decode("latin-1")) if owner is not None else None
        if place is not None:
            place.lines.append(line + b"\n")

    def close(self) -> None:
        self.api.close()
        self.fail(Ended("crash"))

    def _on_frame(self, place: Place, frame: Frame) -> None:
        kind, payload = frame
        if kind not in _ANSWERS:
            self._part(place, kind, payload)
            return
        if not place.answer.done():
            self._host.drain_logs()  # what it logged comes by another way than its answer
            place.answer.set_result(frame)
        self._leave(place)

    def _part(self, place: Place, kind: int, payload: bytes | None) -> None:
        """Of a response that is written in parts, whether its reader wants it so or whole."""
        if place.answer.done():
            return
        parts = place.parts
        if parts is None:
            parts = place.parts = Collected(place.invocation.max_response)
        if kind == frames.PART:
            parts.feed(payload)
        elif kind == frames.BEGIN:
            parts.begin((payload or b"").decode("latin-1"))
        else:
            parts.error_type = (payload or b"").decode("utf-8", "replace")

    def _outcome(self, place: Place, kind: int, payload: bytes | None, duration: float) -> Outcome:
        parts, error = place.parts, None if kind == frames.RESPONSE else "handled"
        if parts is not None:
            parts.detach()
            payload = parts.whole(payload) if error is None else payload
        if payload is None:
            payload, error = documents.too_large(place.invocation), "too_large"
        return Outcome(
            payload=payload,
            environment_id=self._host.id,
            cold=False,
            duration=duration,
            max_memory=self._host.max_memory(self._spec),
            error=error,  # type: ignore[arg-type]  # one of the two above
            logs=b"".join(place.lines),
            content_type="" if parts is None else parts.content_type,
        )

    async def _broken(self, place: Place, ended: Ended, started: float) -> Outcome:
        duration = time.perf_counter() - started
        if place.parts is not None:
            place.parts.detach()
        how: messages.Message = {"oom": False}
        if isinstance(ended, WorkerGone):
            how |= ended.ending
        elif ended.how == "crash":
            self._ending = self._ending or self._loop.create_task(self._host.ending())
            how = await asyncio.shield(self._ending)
        error, detail, error_type, payload = told(self._spec, place.invocation, ended, how)
        return Outcome(
            payload=payload,
            environment_id=self._host.id,
            cold=False,
            duration=duration,
            max_memory=self._host.max_memory(self._spec),
            error=error,
            error_type=error_type,
            detail=detail,
            logs=b"".join(place.lines),
        )

    def _time_out(self, place: Place) -> None:
        if not place.answer.done():
            _end(place, Ended("timeout"))
            self._give_up(place)

    def _give_up(self, place: Place) -> None:
        """Nobody waits for it any more: it leaves when the runtime has not begun with it, and else once that is done."""
        if self._places.get(place.invocation.request_id) is not place:
            return
        if place.delivery.state == "waiting" and self.api.withdraw(place.delivery):
            self._leave(place)
            return
        if place.invocation.stream is not None:
            place.invocation.stream.detach()
        if not place.overdue:
            place.overdue = True
            self._overdue += 1
            if self.stuck and self.on_room is not None:
                self.on_room()

    def _leave(self, place: Place) -> None:
        if self._places.pop(place.invocation.request_id, None) is None:
            return
        self._overdue -= place.overdue
        if self.on_room is not None:
            self.on_room()


class WorkerGone(Ended):
    """What served the invocation is gone, the environment is not."""

    def __init__(self, ending: messages.Message) -> None:
        super().__init__("crash")
        self.ending = ending


def _end(place: Place, ended: Ended) -> None:
    if not place.answer.done():
        place.answer.set_exception(ended)
        place.answer.exception()  # it is not an error that nobody waits


def _pause(delivery: Delivery) -> None:
    if delivery.connection is not None:
        delivery.connection.pause()


def _resume(delivery: Delivery) -> None:
    if delivery.connection is not None:
        delivery.connection.resume()
