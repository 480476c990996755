"""What cannot be gone below here: a durable commit of one row by SQLite alone, and an answer by uvloop that nothing is done for.

    python benchmarks/floor.py            # a JSON line each, in microseconds of processor time

A put by one client pays both. The commit has the node's settings (write-ahead log, synchronous=FULL, a file whose log is not growing).
"""

import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path

import apsw
import uvloop

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.load import replay
from benchmarks.machine import awake, pace
from benchmarks.processes import Server

_COMMITS = 2_000
_ROWS = 250
_REQUESTS = 4_000
_ROUNDS = 5
_REQUEST = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: 2\r\n\r\n{}"


class Fixed(asyncio.Protocol):
    """Answers whatever comes with the same bytes."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        del data
        self._transport.write(_ANSWER)  # type: ignore[attr-defined]  # uvloop's are no subclass of asyncio's


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Fixed, "127.0.0.1", port)
    await server.serve_forever()


def commits(folder: Path) -> float:
    """Microseconds of processor time a commit of one changed row of 200 bytes takes."""
    database = apsw.Connection(str(folder / "floor.db"), vfs="unix-excl")
    for setting in ("journal_mode = WAL", "synchronous = FULL", "wal_autocheckpoint = 1000"):
        database.execute(f"PRAGMA {setting}")
    database.execute("CREATE TABLE IF NOT EXISTS items (name BLOB PRIMARY KEY, body BLOB) WITHOUT ROWID")

    def put(number: int) -> None:
        row = (b"%020d" % (number % _ROWS), b"%0180d" % number)
        database.execute("INSERT INTO items VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET body = excluded.body", row)

    for number in range(_COMMITS):  # the log has its length afterwards
        put(number)
    before = time.process_time()
    for number in range(_COMMITS):
        put(number + 1)
    taken = time.process_time() - before
    database.close()
    return taken / _COMMITS * 1e6


def answers(server: Server, clients: int) -> float:
    """Microseconds of the server's processor time an answer takes."""
    before = server.cpu()
    done = replay(("127.0.0.1", server.port), [_REQUEST], _REQUESTS, clients).done
    return (server.cpu() - before) / done * 1e6


def main() -> None:
    server = Server("floor", f"{sys.executable} {__file__} {{port}}")
    with awake(), tempfile.TemporaryDirectory() as folder:
        try:
            server.start(lambda: replay(("127.0.0.1", server.port), [_REQUEST], 1).done == 1)
            for _ in range(_ROUNDS):
                floor = {
                    "commit us": commits(Path(folder)),
                    "answer us, 1 client": answers(server, 1),
                    "answer us, 8 clients": answers(server, 8),
                    "pace ms": pace(),
                }
                print(json.dumps({name: round(value, 1) for name, value in floor.items()}), flush=True)
        finally:
            server.remove()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        uvloop.run(serve(int(sys.argv[1])))
    else:
        main()
