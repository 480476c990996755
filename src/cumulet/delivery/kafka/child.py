"""Speaks with one cluster for the node that started it, within some megabytes: `python -m cumulet.delivery.kafka.child SETTINGS`.

Questions come by standard input, one thing at a time, answers go to standard output (`wire.py`). It ends when the node does.
"""

import asyncio
import ctypes
import logging
import os
import resource
import signal
import sys
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any, NoReturn

import msgspec
from aiokafka.conn import AIOKafkaProtocol
from aiokafka.errors import KafkaError

from cumulet.delivery.kafka.addresses import GuardedLoop
from cumulet.delivery.kafka.member import Member, gone
from cumulet.delivery.kafka.wire import LARGEST, LOOK, RELEASE, Answer, Gone, Question, Settings, framed

_FRAME = 16 * 1024 * 1024
"""Bytes of one answer of a cluster: a fetch has 6 MB, but for a batch that is larger itself."""
_TEXT = 500
_PR_SET_PDEATHSIG = 1
_M_ARENA_MAX = -8
_STACK = 1024 * 1024
_GRACE = 5.0
_RECENT = 3.0
"""Seconds in which a problem that goes on is told again: the library tries every tenth of one."""


class Child:
    """Both ends: questions in, answers out."""

    def __init__(self, settings: Settings, loop: GuardedLoop) -> None:
        self._settings = settings
        self._loop = loop
        self._released = asyncio.Event()
        self.watch = _Watch(self.fail)
        self._asked: dict[int, asyncio.Task[None]] = {}
        self._member = Member(settings, self._release, lambda: self._say(Answer(0, LOOK)), self.watch.trouble)
        self._names: dict[str, Callable[..., Awaitable[Any]]] = {
            "partitions": self._member.partitions,
            "positions": self._member.positions,
            "read": self._member.read,
            "wait": self._member.wait,
            "commit": self._member.commit,
            "produce": self._member.produce,
            "close": self._member.close,
        }

    async def run(self) -> None:
        """Answer until the node has no more questions."""
        await self._loop.permit(self._settings.servers)
        questions = asyncio.StreamReader()
        await self._loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(questions), sys.stdin)
        decode = msgspec.msgpack.Decoder(Question).decode
        while True:
            question = decode(await questions.readexactly(int.from_bytes(await questions.readexactly(4), "big")))
            if question.name == "cancel":
                if question.number in self._asked:
                    self._asked[question.number].cancel()
            elif question.name == RELEASE:
                self._released.set()
            else:
                task = self._asked[question.number] = self._loop.create_task(self._answer(question))
                task.add_done_callback(partial(self._done, question.number))

    async def _answer(self, question: Question) -> None:
        try:
            with gone():
                found = await self._names[question.name](*question.values)
            self._say(Answer(question.number, found))
        except Gone as error:
            refused = f" ({self._loop.refused})" if self._loop.refused else ""
            self._say(Answer(question.number, None, f"{str(error)[:_TEXT]}{refused}"))
        except MemoryError as error:
            self.fail(error)

    def _done(self, number: int, _: Any) -> None:
        del self._asked[number]

    async def _release(self, patience: float) -> None:
        self._released.clear()
        self._say(Answer(0, RELEASE, str(patience)))
        with suppress(TimeoutError):
            async with asyncio.timeout(patience + _GRACE):
                await self._released.wait()

    def _say(self, answer: Answer) -> None:
        """To a node that always listens: what is not taken at once is waited for."""
        text = framed(answer)
        if len(text) > LARGEST:
            text = framed(Answer(answer.number, None, f"What was read has {len(text)} bytes, of at most {LARGEST}."))
        try:
            sys.stdout.buffer.write(text)
            sys.stdout.buffer.flush()
        except OSError:
            os._exit(1)

    def fail(self, error: BaseException) -> NoReturn:
        """End, and say why: what a cluster answered has left this client in a state that nobody knows."""
        if isinstance(error, MemoryError):
            text = f"What the cluster answered takes more than {self._settings.memory >> 20} MB of memory."
        else:
            text = f"What the cluster answered cannot be read. ({type(error).__name__}: {str(error)[:_TEXT]})"
        try:
            self._say(Answer(0, None, text))
        finally:
            os._exit(1)


class _Watch(logging.Handler):
    """The library tells its log alone when what it got surprises it, and goes on without a part of itself."""

    def __init__(self, fail: Callable[[BaseException], NoReturn]) -> None:
        super().__init__(logging.ERROR)
        self._fail = fail
        self._last = ("", 0.0)

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if error is not None and not isinstance(error, KafkaError | OSError):
            self._fail(error)
        self._last = (record.getMessage(), monotonic())

    def trouble(self) -> str:
        """What the library tries again and again; empty when all is well."""
        text, moment = self._last
        return text if monotonic() - moment < _RECENT else ""


class _TooLong(Exception):
    """A server announces an answer longer than any it was asked for."""


class _Loop(GuardedLoop):
    """A loop that reads the lengths in front of what servers send, before anybody waits for so much."""

    def __init__(self) -> None:
        super().__init__()
        self.fail: Callable[[BaseException], NoReturn] | None = None

    async def create_connection(self, protocol_factory: Any, *args: Any, **more: Any) -> Any:
        def made() -> Any:
            protocol = protocol_factory()
            if isinstance(protocol, AIOKafkaProtocol):
                protocol.data_received = _Frames(protocol.data_received, self._refuse).feed
            return protocol

        return await super().create_connection(made, *args, **more)

    def _refuse(self, size: int) -> None:
        if self.fail is not None:
            self.fail(_TooLong(f"an answer of {size} bytes is announced, of at most {_FRAME}"))


class _Frames:
    """One connection's bytes on their way: lengths of 4 bytes, each with so much behind it."""

    def __init__(self, then: Callable[[bytes], None], refuse: Callable[[int], None]) -> None:
        self._then, self._refuse = then, refuse
        self._head = b""
        self._left = 0

    def feed(self, data: bytes) -> None:
        place = 0
        while place < len(data):
            if self._left:
                step = min(self._left, len(data) - place)
                self._left -= step
            else:
                step = min(4 - len(self._head), len(data) - place)
                self._head += data[place : place + step]
                if len(self._head) == 4:
                    self._left, self._head = int.from_bytes(self._head, "big"), b""
                    if self._left > _FRAME:
                        self._refuse(self._left)
            place += step
        self._then(data)


def main() -> None:
    """Serve until the node closes the pipe."""
    library = ctypes.CDLL(None)
    library.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    library.mallopt(_M_ARENA_MAX, 1)  # each thread's own would count as 128 MB
    settings = msgspec.json.decode(sys.argv[1], type=Settings)
    threading.stack_size(_STACK)
    # What the interpreter has mapped by now does not count.
    most = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize() + settings.memory
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    loop = _Loop()
    asyncio.set_event_loop(loop)
    child = Child(settings, loop)
    loop.fail = child.fail
    log = logging.getLogger("aiokafka")
    log.propagate = False
    log.setLevel(logging.ERROR)
    log.addHandler(child.watch)
    loop.set_exception_handler(partial(_unheard, child.fail))
    with suppress(asyncio.IncompleteReadError):
        loop.run_until_complete(child.run())
    os._exit(0)


def _unheard(fail: Callable[[BaseException], NoReturn], _: Any, context: dict[str, Any]) -> None:
    """What nobody waits for is no matter, unless memory is short."""
    if isinstance(context.get("exception"), MemoryError):
        fail(context["exception"])


if __name__ == "__main__":
    main()
