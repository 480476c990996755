"""The node's end of a client of a cluster (`child.py`): asks, and lives on when that process does not."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from cumulet.delivery.kafka.wire import LARGEST, LOOK, RELEASE, Answer, Gone, Question, Settings, framed

_PATIENCE = 150.0
"""Seconds in which a question is answered: the library gives up servers that say nothing after 40, and joins groups in 60."""
_LEAVE = 3.0
"""Seconds to leave a group in. Who does not in time is missed by the group before long."""
_ENDED = "The process that reads the cluster has ended. What the cluster answered may take too much memory."

_decode = msgspec.msgpack.Decoder(Answer).decode


class Client:
    """A process that speaks with a cluster, begun with the first question, and again with the next one that may begin it.

    `release` is awaited before partitions go to other members; `look` is called when there may be others.
    """

    def __init__(self, settings: Settings) -> None:
        self.release: Callable[[float], Awaitable[None]] | None = None
        self.look: Callable[[], None] | None = None
        self._settings = settings
        self._process: asyncio.subprocess.Process | None = None
        self._listener: asyncio.Task[None] | None = None
        self._releasing: asyncio.Task[None] | None = None
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._count = 0
        self._why = ""
        self._beginning = asyncio.Lock()

    async def begin(self) -> None:
        """Start the process unless it is there."""
        async with self._beginning:
            if self._process is None:
                if self._listener is not None:
                    await asyncio.wait((self._listener,))
                self._why = ""
                process = self._process = await _started(self._settings)
                self._listener = asyncio.get_running_loop().create_task(self._listen(process))

    async def ask(self, name: str, *values: Any, patience: float = _PATIENCE) -> Any:
        """The answer, as MessagePack has it. Raises Gone: at once when there is no process."""
        process = self._process
        if process is None:
            raise Gone(self._why or "The cluster is not being read.")
        self._count += 1
        number = self._count
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            self._tell(process, Question(number, name, values))
            async with asyncio.timeout(patience):
                return await answer
        except TimeoutError:
            self._end(process, f"The cluster has not answered within {patience:g} seconds.")
            raise Gone(self._why) from None
        except asyncio.CancelledError:
            self._tell(process, Question(number, "cancel"))
            raise
        finally:
            del self._waiting[number]

    async def close(self) -> None:
        """Leave the group, and end the process."""
        process, listener = self._process, self._listener
        if process is None or listener is None:
            return
        try:
            await self.ask("close", patience=_LEAVE)
        except Gone:
            pass
        finally:
            self._end(process, "The cluster is not being read any more.")
            await asyncio.wait((listener,))

    def _tell(self, process: asyncio.subprocess.Process, question: Question) -> None:
        assert process.stdin is not None
        if not process.stdin.is_closing():
            process.stdin.write(framed(question))

    def _end(self, process: asyncio.subprocess.Process, why: str) -> None:
        """From here on nothing is asked of it."""
        if process is self._process:
            self._process = None
            self._why = self._why or why
            for each in self._waiting.values():
                if not each.done():
                    each.set_exception(Gone(self._why))
        if process.returncode is None:
            process.kill()

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        try:
            while True:
                size = int.from_bytes(await process.stdout.readexactly(4), "big")
                if size > LARGEST:
                    break
                self._heard(process, _decode(await process.stdout.readexactly(size)))
        except (asyncio.IncompleteReadError, OSError, msgspec.MsgspecError):
            pass
        finally:
            self._end(process, _ENDED)
            if self._releasing is not None:
                self._releasing.cancel()
            await process.wait()

    def _heard(self, process: asyncio.subprocess.Process, answer: Answer) -> None:
        waiting = self._waiting.get(answer.number)
        if waiting is not None:
            if waiting.done():
                return
            if answer.problem:
                waiting.set_exception(Gone(answer.problem))
            else:
                waiting.set_result(answer.found)
        elif answer.number:
            return
        elif answer.found == LOOK:
            if self.look is not None:
                self.look()
        elif answer.found == RELEASE:
            self._releasing = asyncio.get_running_loop().create_task(self._release(process, float(answer.problem)))
        else:
            self._why = answer.problem

    async def _release(self, process: asyncio.subprocess.Process, patience: float) -> None:
        if self.release is not None:
            await self.release(patience)
        self._tell(process, Question(0, RELEASE))


async def _started(settings: Settings) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-s",
        "-P",
        "-m",
        "cumulet.delivery.kafka.child",
        msgspec.json.encode(settings).decode(),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
