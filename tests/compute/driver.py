"""A node's compute in a process of its own, for tests: JSON lines in, JSON lines out. Run by `Machine` in conftest.py."""

import asyncio
import json
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from cumulet.compute import (
    Compute,
    ComputeConfig,
    ComputeUnavailable,
    EnvironmentInfo,
    FunctionSpec,
    Invocation,
    NoRoom,
    NotServing,
    Outcome,
    RestoreFailed,
    RuntimeUnavailable,
    Upstream,
    request_head,
)


class Driver:
    def __init__(self, config: dict[str, Any]) -> None:
        self.lines: dict[str, list[str]] = {}
        self.platform: dict[str, list[tuple[str, dict[str, Any]]]] = {}
        self._seen: tuple[list[str], int] = ([], 0)
        self._since = 0.0
        self.compute = Compute(
            msgspec.convert(config, ComputeConfig, dec_hook=lambda _, value: Path(value)),
            on_log=lambda info, line: self.lines.setdefault(info.key, []).append(line.decode(errors="replace")),
            on_endpoint=self.serve,
            on_platform=lambda info, kind, record: self.platform.setdefault(info.key, []).append((kind, dict(record))),
        )

    def serve(self, info: EnvironmentInfo | None, listener: socket.socket) -> Callable[[], None]:
        """Answer each connection to the endpoint with the environment it came from."""

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readline()
            writer.write(b"shared" if info is None else info.id.encode())
            writer.close()

        task = asyncio.get_running_loop().create_task(asyncio.start_server(answer, sock=listener.dup()))
        return lambda: task.result().close() if task.done() else None

    async def invoke(self, request: dict[str, Any]) -> Any:
        spec = msgspec.convert(request["spec"], FunctionSpec, dec_hook=lambda _, value: Path(value))
        invocation = Invocation(
            request_id=request.get("request_id", "11111111-2222-3333-4444-555555555555"),
            payload=request["payload"].encode(),
            deadline_ms=request.get("deadline_ms", 0),
            function_arn="arn:aws:lambda:us-east-1:000000000000:function:f",
            trace=request.get("trace", ""),
            environment=request.get("environment", {}),
            client_context=request["client_context"].encode() if "client_context" in request else None,
        )
        try:
            outcome = await self.compute.invoke(spec, invocation, lambda info: {"PORT": str(info.endpoint_port)})
        except (ComputeUnavailable, RestoreFailed, RuntimeUnavailable) as error:
            return {"unavailable": str(error)}
        except NoRoom:
            return {"no_room": True}
        if "answered" in request:
            Path(request["answered"]).touch()
        answer = _shown(outcome)
        if outcome.finished is not None:
            answer["finished"] = _shown(await outcome.finished)
        return answer

    async def ask(self, request: dict[str, Any]) -> Any:
        """What a server answers to a GET of a path."""
        spec = msgspec.convert(request["spec"], FunctionSpec, dec_hook=lambda _, value: Path(value))
        try:
            place = await self.compute.place(spec)
        except NotServing as failed:
            return {"error": failed.outcome.error, "detail": failed.outcome.detail}
        except (ComputeUnavailable, RuntimeUnavailable) as error:
            return {"unavailable": str(error)}
        try:
            inside = await place.connect()
            loop = asyncio.get_running_loop()
            _, connection = await loop.create_connection(Upstream, sock=inside)
            await connection.ask(request_head("GET", request["path"], []), b"", chunked=False, bodiless=False)
            pieces = []
            while piece := await connection.next():
                pieces.append(piece)
            connection.close()
        finally:
            place.leave()
        return {"status": connection.status, "body": b"".join(pieces).decode(), "environment": place.info.id}

    async def boot(self, request: dict[str, Any]) -> Any:
        """How a machine's program ends; with `capture`, what it has written is copied there."""
        spec = msgspec.convert(request["spec"], FunctionSpec, dec_hook=lambda _, value: Path(value))
        told: dict[str, Any] = {}
        try:
            machine = await self.compute.boot(spec)
        except ComputeUnavailable as error:
            return {"unavailable": str(error)}
        try:
            if "frozen" in request:
                lines = self.lines.setdefault(spec.key, [])
                await self._until(lambda: len(lines) > 0)
                machine.freeze()
                told["stopped"] = await self._until(lambda: self._rests(lines, request["frozen"]))
                machine.thaw()
                before = len(lines)
                told["goes on"] = await self._until(lambda: len(lines) > before)
                return told
            await asyncio.wait_for(asyncio.shield(machine.ended), 60)
            told["how"] = machine.not_started or await machine.how()
            machine.drain()
            if "capture" in request:
                told["size"] = await machine.capture(Path(request["capture"]), request["limit"])
        except ComputeUnavailable as error:
            told["unavailable"] = str(error)
        finally:
            machine.end()
        return told

    def _rests(self, lines: list[str], seconds: float) -> bool:
        """Whether no line has come for so long."""
        now = asyncio.get_running_loop().time()
        if self._seen != (lines, len(lines)):
            self._seen, self._since = (lines, len(lines)), now
        return now - self._since >= seconds

    async def _until(self, condition: Callable[[], bool]) -> bool:
        for _ in range(3_000):
            if condition():
                return True
            await asyncio.sleep(0.02)
        return False

    async def handle(self, request: dict[str, Any]) -> Any:
        match request["do"]:
            case "invoke":
                return await self.invoke(request)
            case "ask":
                return await self.ask(request)
            case "boot":
                return await self.boot(request)
            case "retire":
                return await self.compute.retire(request["key"])
            case "environments":
                return msgspec.to_builtins(self.compute.environments())
            case "platform":
                return self.platform.pop(request["key"], [])
            case "runtimes":
                return self.compute.runtimes()
            case "lines":
                return self.lines.pop(request["key"], [])
            case "level":
                return msgspec.to_builtins(await self.compute.level())
        raise ValueError(request["do"])


def _shown(outcome: Outcome) -> dict[str, Any]:
    fields = {name: getattr(outcome, name) for name in outcome.__struct_fields__ if name != "finished"}
    return {
        name: value.decode(errors="replace") if isinstance(value, bytes) else value for name, value in fields.items()
    }


async def main() -> None:
    loop = asyncio.get_running_loop()
    driver = Driver(json.loads(sys.argv[1]))
    await driver.compute.start()
    reader = asyncio.StreamReader(limit=1 << 26)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    running: set[asyncio.Task[None]] = set()

    async def respond(request: dict[str, Any]) -> None:
        answer = await driver.handle(request)
        sys.stdout.write(json.dumps({"id": request["id"], "answer": answer}) + "\n")
        sys.stdout.flush()

    while line := await reader.readline():
        task = loop.create_task(respond(json.loads(line)))
        running.add(task)
        task.add_done_callback(running.discard)
    await driver.compute.stop()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    uvloop.run(main())
