"""One large table: filled, restarted, and read and written by 1, 8 and 64 clients.

python benchmarks/table.py --items 10000
python benchmarks/table.py --items 10000000 --fill-seconds 3600 --folder /var/tmp/large    # kept: the next run only measures
python benchmarks/table.py --items 10000 --peer dynalite='npx --no-install dynalite --port {port}' \\
    --peer ministack='env GATEWAY_PORT={port} ministack'                        # each peer after the node, in the same run
"""

import argparse
import json
import random
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.client import Client
from benchmarks.machine import awake, pace
from benchmarks.processes import Server
from benchmarks.run import OURS

TABLE = "items"
IN_COLLECTION = 100
"""Items that share a partition key."""
_DATA = "x" * 100
_BATCH = 25
_ROUND = 400
_CLIENTS = (1, 8, 64)
_ROUNDS = 5


def item(number: int) -> dict[str, dict[str, str]]:
    collection, place = divmod(number, IN_COLLECTION)
    return {"pk": {"S": f"user#{collection}"}, "sk": {"N": str(place)}, "data": {"S": _DATA}, "count": {"N": "1"}}


def key_of(number: int) -> dict[str, dict[str, str]]:
    found = item(number)
    return {"pk": found["pk"], "sk": found["sk"]}


def create(client: Client) -> None:
    dynamodb = client.boto("dynamodb")
    dynamodb.create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "N"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    dynamodb.get_waiter("table_exists").wait(TableName=TABLE, WaiterConfig={"Delay": 1})


def batches(client: Client, first: int, last: int) -> Iterator[bytes]:
    """Requests that put the items of these numbers: one signed by boto3, whose body is replaced, as a node on loopback takes any
    signature of the key `test` and signing 400,000 requests takes longer than answering them."""
    signed = client.build("dynamodb", "batch_write_item", RequestItems={TABLE: [{"PutRequest": {"Item": item(0)}}]})
    head = signed.partition(b"\r\n\r\n")[0]
    lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"content-length:")]
    for start in range(first, last, _BATCH):
        puts = [{"PutRequest": {"Item": item(number)}} for number in range(start, min(start + _BATCH, last))]
        body = json.dumps({"RequestItems": {TABLE: puts}}).encode()
        yield b"\r\n".join([*lines, b"Content-Length: %d" % len(body), b"", body])


def fill(server: Server, client: Client, items: int, seconds: float) -> dict[str, float]:
    """Put the items, in rounds that fit in memory; stops early when the time is up."""
    done, sending, started, cpu = 0, 0.0, time.perf_counter(), server.cpu()
    while done < items and time.perf_counter() - started < seconds:
        last = min(items, done + _ROUND * _BATCH)
        requests = list(batches(client, done, last))
        result = client.replay(requests, len(requests), 8, seconds=600)
        if result.errors:
            raise RuntimeError(f"a batch was refused: {result.first_error}")
        sending += result.seconds
        done = last
        if sys.stderr.isatty():
            print(f"\r{done:,} of {items:,} items", end="", file=sys.stderr)
    return {"items": done, "put/s": round(done / sending), "cpu us/item": round((server.cpu() - cpu) / done * 1e6, 1)}


def changing(items: int, chosen: random.Random) -> Iterator[dict[str, dict[str, str]]]:
    """Items to put one after another, again and again: each differs from what is there then, as the engine writes nothing, and
    waits for no disk, where an item is put that is there already."""
    numbers = chosen.sample(range(items), min(items, 250))
    for version in ("2", "3"):
        for number in numbers:
            yield item(number) | {"count": {"N": version}}


def measures(client: Client, items: int, chosen: random.Random) -> dict[str, list[bytes]]:
    """Requests of each kind, on keys all over the table."""

    def key() -> dict[str, dict[str, str]]:
        return key_of(chosen.randrange(items))

    def query() -> bytes:
        return client.build(
            "dynamodb",
            "query",
            TableName=TABLE,
            KeyConditionExpression="pk = :p",
            ExpressionAttributeValues={":p": key()["pk"]},
            Limit=10,
        )

    return {
        "put": [client.build("dynamodb", "put_item", TableName=TABLE, Item=each) for each in changing(items, chosen)],
        "get": [client.build("dynamodb", "get_item", TableName=TABLE, Key=key()) for _ in range(500)],
        "query of ten": [query() for _ in range(500)],
    }


def report(server: Server, client: Client, items: int, seconds: float) -> None:
    """One line of figures for each kind and number of clients: the medians of rounds of so many seconds that go through the
    kinds and the numbers of clients in turn, so that what else the machine does meanwhile falls on all of them alike."""
    kinds = measures(client, items, random.Random(7))
    found: dict[tuple[str, int], list[dict[str, float]]] = {
        (kind, clients): [] for kind in kinds for clients in _CLIENTS
    }
    for _ in range(_ROUNDS):
        for (kind, clients), rounds in found.items():
            rounds.append(_measured(server, client, kinds[kind], clients, seconds))
    for (kind, clients), rounds in found.items():
        medians = {name: statistics.median(each[name] for each in rounds) for name in rounds[0]}
        print(json.dumps({"label": server.name, "measure": kind, "clients": clients, **medians}), flush=True)


def _measured(server: Server, client: Client, requests: list[bytes], clients: int, seconds: float) -> dict[str, float]:
    client.replay(requests, 200, clients, seconds=seconds)
    first_pace, cpu = pace(), server.cpu()
    result = client.replay(requests, 4_000, clients, seconds=seconds)
    cpu = server.cpu() - cpu
    return {
        "p50 ms": round(result.percentile(50) * 1e3, 3),
        "p99 ms": round(result.percentile(99) * 1e3, 3),
        "per s": round(result.done / result.seconds),
        "cpu us": round(cpu / max(1, result.done) * 1e6),
        "client cpu us": round(result.client_cpu / max(1, result.done) * 1e6),
        "pace ms": round((first_pace + pace()) / 2, 2),
        "errors": result.errors,
    }


def answers(client: Client) -> bool:
    return client.replay([client.build("dynamodb", "list_tables")], 1, seconds=5).errors == 0


def run(server: Server, options: argparse.Namespace, *, keeps: bool) -> None:
    """`keeps`: whether it has its tables after a restart."""
    client = Client(server.endpoint)
    items = options.items
    try:
        server.start(lambda: answers(client))
        if TABLE not in client.boto("dynamodb").list_tables()["TableNames"]:
            create(client)
            filled = fill(server, client, items, options.fill_seconds)
            items = int(filled["items"])
            print(json.dumps({"label": server.name, "measure": "fill", **filled}), flush=True)
        if options.fill_only:
            return
        if keeps:
            server.stop()
            files = sum(path.stat().st_size for path in server.data.rglob("dynamodb.db*"))
            first = [client.build("dynamodb", "get_item", TableName=TABLE, Key=key_of(0))]
            seconds = server.start(lambda: client.replay(first, 1, seconds=5).errors == 0)
            print(
                json.dumps(
                    {
                        "label": server.name,
                        "measure": "restart",
                        "first get s": round(seconds, 2),
                        "file MB": files >> 20,
                    }
                ),
                flush=True,
            )
        report(server, client, items, options.round_seconds)
        print(json.dumps({"label": server.name, "measure": "memory", "pss MB": round(server.memory(), 1)}), flush=True)
    finally:
        server.remove()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--fill-seconds", type=float, default=600.0, help="stop filling after so long")
    parser.add_argument("--folder", type=Path, help="where the data lies, and stays")
    parser.add_argument("--fill-only", action="store_true")
    parser.add_argument("--round-seconds", type=float, default=2.0, help="the most that one round of a measure takes")
    parser.add_argument(
        "--peer", action="append", default=[], metavar="NAME=COMMAND", help="another server, with {port} and {data}"
    )
    options = parser.parse_args()
    with awake() as possible:
        print(json.dumps({"processors": "kept awake" if possible else "may doze", "pace ms": round(pace(), 2)}))
        run(Server("cumulet", OURS, folder=options.folder), options, keeps=True)
        for peer in options.peer:
            name, _, command = peer.partition("=")
            run(Server(name, command), options, keeps=False)


if __name__ == "__main__":
    main()
