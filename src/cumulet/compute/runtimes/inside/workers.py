"""The Python runtime where an environment serves several invocations at once: a process for each of them.

Each loads the function by itself, and serves one invocation at a time; they share the environment's limits and its /tmp.
https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-python-runtime.html
"""

from __future__ import annotations

import json
import mmap
import os
import signal
import socket
import time

from cumulet.compute.runtimes.inside import frames, http_client, logs, python
from cumulet.compute.sandbox import messages

_MOST = 900
"""Processes: an environment may have 1,024, the function's own included."""
_PAUSE = 0.2


def serve(assignment: messages.Message, channel: socket.socket, output: logs.Output) -> None:
    """Keep a worker for each invocation that may come at once; returns, or exits as they did, when none is left."""
    python.become(assignment)
    Workers(assignment, channel, output).run()


class Workers:
    """In the process that the others are forked from, which loads nothing of the function itself."""

    def __init__(self, assignment: messages.Message, channel: socket.socket, output: logs.Output) -> None:
        self._assignment = assignment
        self._channel = channel
        self._output = output
        self._count = min(_MOST, int(assignment["environment"]["AWS_LAMBDA_MAX_CONCURRENCY"]))
        self._loaded = mmap.mmap(-1, self._count)
        self._pids: dict[int, int] = {}

    def run(self) -> None:
        """The first is to be ready soon, and alone: the others are not in its way while it loads."""
        reading, writing = os.pipe()
        self._fork(0, writing)
        os.close(writing)
        if os.read(reading, 1):
            for number in range(1, self._count):
                self._fork(number)
        os.close(reading)
        status = 0
        while self._pids:
            pid, status = os.wait()
            number = self._pids.pop(pid, -1)
            if number >= 0:
                self._over(number, status)
        if os.WIFSIGNALED(status):
            signal.signal(os.WTERMSIG(status), signal.SIG_DFL)
            os.kill(os.getpid(), os.WTERMSIG(status))
        raise SystemExit(os.WEXITSTATUS(status))

    def _over(self, number: int, status: int) -> None:
        """One has ended: what it served has failed, and another takes its place if it had come to serve at all."""
        document = json.dumps({"worker": number, **messages.ending(status)}).encode()
        frames.Frames(self._channel).send(frames.WORKER_ENDED, document)
        if self._loaded[number]:
            self._loaded[number] = 0
            self._fork(number, pause=_PAUSE)

    def _fork(self, number: int, ready: int = -1, pause: float = 0.0) -> None:
        pid = os.fork()
        if pid:
            self._pids[pid] = number
            return
        self._channel.close()
        time.sleep(pause)
        python.reseed()
        python.end_as(lambda: self._work(number, ready), self._output)

    def _work(self, number: int, ready: int) -> None:
        client = http_client.Client(os.environ["AWS_LAMBDA_RUNTIME_API"], number)
        loaded = python.load(self._assignment["handler"], self._output)
        if isinstance(loaded, bytes):
            client.fail_to_load(loaded)
            raise SystemExit(1)
        self._loaded[number] = 1
        if ready >= 0:
            os.write(ready, b"1")
            os.close(ready)
        while True:
            header, event = client.next()
            kind, answer = loaded.invoke(header, event)
            self._output.flush()
            client.answer(header["request_id"], "response" if kind == frames.RESPONSE else "error", answer)
