"""The measures themselves. Each takes one server and gives figures; none runs longer than a few seconds a round."""

import os
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from benchmarks.client import OK, Client
from benchmarks.figures import Figures
from benchmarks.load import Check, Result
from benchmarks.processes import Server

FUNCTION = """
import os, time
def handler(event, context):
    if event.get("sleep"): time.sleep(event["sleep"])
    if event.get("log"): print("hello", event["log"])
    return {"ok": True, "pid": os.getpid()}
"""
COUNTING = """
def handler(event, context):
    print("counted", len(event["Records"]))
"""
NODE_FUNCTION = "exports.handler = async (event) => ({ok: true});"
KILOBYTE, MEGABYTE = 1_024, 1_048_576
_SMALLEST_SAMPLE = 20
_LONGEST_DRAIN = 60.0


class Bench:
    """One server under measurement, with a name that no other run uses."""

    def __init__(self, server: Server, run: str) -> None:
        self.server = server
        self.run = run
        self.client = Client(server.endpoint)

    def rate(
        self,
        measure: str,
        requests: list[bytes],
        count: int,
        clients: int,
        *,
        each: int = 1,
        check: Check | None = None,
        seconds: float = 8.0,
    ) -> Figures:
        """Throughput, latency and processor time; `each` is how many things one request does."""
        before = self.server.cpu()
        result = self.client.replay(requests, count, clients, check=check, seconds=seconds)
        cpu = self.server.cpu() - before
        return Figures(measure, _rates(result, cpu, each), result.errors, result.first_error)

    def rates(self, measure: str, requests: list[bytes], count: int, **options: object) -> Iterator[Figures]:
        """From one client, then from eight."""
        self.client.replay(requests, min(count, _SMALLEST_SAMPLE))
        yield self.rate(f"{measure}, 1 client", requests, count // 2, 1, **options)  # type: ignore[arg-type]
        yield self.rate(f"{measure}, 8 clients", requests, count, 8, **options)  # type: ignore[arg-type]


def _rates(result: Result, cpu: float, each: int) -> dict[str, float]:
    done = max(1, result.done)
    return {
        "per_s": (result.done - result.errors) * each / max(result.seconds, 1e-9),
        "p50_ms": result.percentile(50) * 1e3,
        "p99_ms": result.percentile(99) * 1e3,
        "server_cpu_us": cpu / done * 1e6,
        "client_cpu_us": result.client_cpu / done * 1e6,
    }


def no_op(bench: Bench) -> Iterator[Figures]:
    yield from bench.rates("sts no-op", [bench.client.build("sts", "get_caller_identity")], 2_000)


def s3(bench: Bench) -> Iterator[Figures]:
    client, bucket = bench.client, f"bench-{bench.run}"
    client.boto("s3").create_bucket(Bucket=bucket)
    for label, size, count, keys in (("1 KB", KILOBYTE, 2_000, 100), ("1 MB", MEGABYTE, 200, 8)):
        body = os.urandom(size)
        names = [f"{size}/{number}" for number in range(keys)]
        puts = [client.build("s3", "put_object", Bucket=bucket, Key=name, Body=body) for name in names]
        yield from bench.rates(f"s3 put {label}", puts, count)
        client.replay(puts, keys)
        yield from bench.rates(
            f"s3 get {label}", [client.build("s3", "get_object", Bucket=bucket, Key=name) for name in names], count * 2
        )
    page = [client.build("s3", "list_objects_v2", Bucket=bucket, Prefix=f"{KILOBYTE}/", MaxKeys=100)]
    yield from bench.rates("s3 list of 100", page, 400)


def sqs(bench: Bench) -> Iterator[Figures]:
    client = bench.client
    queue = client.queue(f"bench-{bench.run}")
    sends = [
        client.build("sqs", "send_message", QueueUrl=queue, MessageBody="x" * 200 + str(number))
        for number in range(200)
    ]
    yield from bench.rates("sqs send", sends, 4_000)
    batch = [_batch(client, queue)]
    yield from bench.rates("sqs send batch of 10", batch, 600, each=10)
    receive = [client.build("sqs", "receive_message", QueueUrl=queue, VisibilityTimeout=600)]
    yield from bench.rates("sqs receive one", receive, 2_000)


def sqs_deep(bench: Bench) -> Iterator[Figures]:
    """Receiving from a queue of 100,000: it must not be slower than from a short one."""
    client = bench.client
    queue = client.queue(f"deep-{bench.run}")
    filled = client.replay([_batch(client, queue)], 10_000, 8, seconds=60)
    receive = [client.build("sqs", "receive_message", QueueUrl=queue, VisibilityTimeout=600)]
    figures = bench.rate("sqs receive one, 8 clients, 100,000 deep", receive, 2_000, 8)
    figures.values["deep"] = (filled.done - filled.errors) * 10.0
    yield figures


def _batch(client: Client, queue: str) -> bytes:
    entries = [{"Id": str(number), "MessageBody": "x" * 200} for number in range(10)]
    return client.build("sqs", "send_message_batch", QueueUrl=queue, Entries=entries)


def dynamodb(bench: Bench) -> Iterator[Figures]:
    """Items of 300 bytes, ten to a partition key. Each put changes its item: one that changes nothing costs less."""
    client, table = bench.client, f"bench-{bench.run}"
    boto = client.boto("dynamodb")
    boto.create_table(
        TableName=table,
        KeySchema=[{"AttributeName": "user", "KeyType": "HASH"}, {"AttributeName": "order", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("user", "order")],
        BillingMode="PAY_PER_REQUEST",
    )
    boto.get_waiter("table_exists").wait(TableName=table, WaiterConfig={"Delay": 1})
    keys = [{"user": {"S": f"user-{number // 10}"}, "order": {"S": f"order-{number % 10}"}} for number in range(500)]
    rest = {"text": {"S": "x" * 200}, "tags": {"SS": ["a", "b"]}}
    puts = [
        client.build("dynamodb", "put_item", TableName=table, Item=key | rest | {"total": {"N": f"{version}"}})
        for version in range(2)
        for key in keys
    ]
    yield from bench.rates("dynamodb put", puts, 4_000)
    gets = [client.build("dynamodb", "get_item", TableName=table, Key=key) for key in keys]
    yield from bench.rates("dynamodb get", gets, 4_000)
    queries = [
        client.build(
            "dynamodb",
            "query",
            TableName=table,
            KeyConditionExpression="#u = :u",
            ExpressionAttributeNames={"#u": "user"},
            ExpressionAttributeValues={":u": {"S": f"user-{number}"}},
        )
        for number in range(50)
    ]
    yield from bench.rates("dynamodb query of ten", queries, 2_000)


def lambda_warm(bench: Bench) -> Iterator[Figures]:
    client, name = bench.client, f"warm-{bench.run}"
    client.function(name, FUNCTION)
    quiet = [client.invoke_request(name)]
    client.replay(quiet, _SMALLEST_SAMPLE, 8)
    yield from bench.rates("lambda warm", quiet, 4_000, check=OK)
    yield from bench.rates("lambda warm, one line logged", [client.invoke_request(name, {"log": "x"})], 2_000, check=OK)


def lambda_first(bench: Bench) -> Iterator[Figures]:
    for label, source, runtime, file in (
        ("Python", FUNCTION, "python3.11", "index.py"),
        ("Python with boto3", "import boto3\n" + FUNCTION, "python3.11", "index.py"),
        ("Node", NODE_FUNCTION, "nodejs20.x", "index.js"),
    ):
        made = [
            _first(bench, f"{label.lower().replace(' ', '-')}-{number}", source, runtime, file) for number in range(7)
        ]
        errors = sum(failed != "" for *_, failed in made)
        if errors:
            said = next(failed for *_, failed in made if failed)
            yield Figures(f"lambda first invoke, {label}", {}, errors, said)
            continue
        first, second = made[0], made[1:]
        if label == "Node":  # no Node process is kept while nobody uses Node
            yield Figures("lambda first invoke, Node", {"first_ms": first[0], "create_to_first_ms": first[1]})
            yield Figures("lambda next environment, Node", {"first_ms": statistics.median(each[0] for each in second)})
        else:
            values = {
                "first_ms": statistics.median(each[0] for each in made),
                "create_to_first_ms": statistics.median(each[1] for each in made),
            }
            yield Figures(f"lambda first invoke, {label}", values)


def _first(bench: Bench, tag: str, source: str, runtime: str, file: str) -> tuple[float, float, str]:
    """Milliseconds of the first invocation, and from create to its answer; and what went wrong."""
    name = f"{tag}-{bench.run}"
    started = time.perf_counter()
    try:
        bench.client.function(name, source, runtime, file)
        created = time.perf_counter() - started
        request = [bench.client.invoke_request(name)]
        result = bench.client.replay(request, 1, check=OK)
    except (BotoCoreError, ClientError, OSError) as error:  # a peer may refuse the runtime
        return 0.0, 0.0, str(error)
    first = result.percentile(50)
    time.sleep(0.1)
    return first * 1e3, (created + first) * 1e3, result.first_error


def lambda_burst(bench: Bench) -> Iterator[Figures]:
    name = f"burst-{bench.run}"
    bench.client.function(name, FUNCTION)
    request = [bench.client.invoke_request(name, {"sleep": 0.3})]
    time.sleep(0.5)
    result = bench.client.replay(request, 20, 20, seconds=60, check=OK)
    measure = "lambda 20 calls of 300 ms at once"
    yield Figures(measure, {"ms": result.seconds * 1e3}, result.errors, result.first_error)


def lambda_scale(bench: Bench) -> Iterator[Figures]:
    """Sixty environments at once: how fast they come up, and what each costs in memory of its own."""
    name = f"scale-{bench.run}"
    bench.client.function(name, FUNCTION, MemorySize=128)
    known = bench.server.tree()
    request = [bench.client.invoke_request(name, {"sleep": 0.5})]
    count = 60
    result = bench.client.replay(request, count, count, seconds=60, check=OK)
    values = {"per_s": count / max(result.seconds - 0.5, 1e-9)}
    private = [size for pid in bench.server.tree() - known if (size := _private(pid)) is not None]
    if len(private) >= count:
        values["private_mb"] = sum(private) / count
    yield Figures("lambda environments", values, result.errors, result.first_error)


def sqs_drain(bench: Bench) -> Iterator[Figures]:
    """A filled queue emptied into a function, ten messages an invocation; then one message through the idle mapping."""
    client, name = bench.client, f"drain-{bench.run}"
    queue, function = client.queue(name), client.function(name, COUNTING)
    arn = client.boto("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    filled = client.replay([_batch(client, queue)], 2_000, 8, seconds=60)
    count = (filled.done - filled.errors) * 10
    client.replay([client.invoke_request(name, {"Records": []})], 1)
    before, begun = bench.server.cpu(), time.perf_counter()
    functions = client.boto("lambda")
    mapping = functions.create_event_source_mapping(EventSourceArn=arn, FunctionName=function, BatchSize=10)["UUID"]
    while (left := _left(client, queue)) and time.perf_counter() - begun < _LONGEST_DRAIN:
        time.sleep(0.05)
    seconds = time.perf_counter() - begun
    cpu = bench.server.cpu() - before
    time.sleep(2)  # the last lines are written
    seen = _counted(client, name)
    values = {"per_s": (count - left) / seconds, "server_cpu_us": cpu / max(count - left, 1) * 1e6, "messages": seen}
    lost = max(0, count - left - seen)
    yield Figures("lambda drain of a queue", values, left + lost, f"{left} left, {lost} lost" if left + lost else "")
    functions.delete_event_source_mapping(UUID=mapping)


def _left(client: Client, queue: str) -> int:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = client.boto("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
    return sum(int(found[each]) for each in names)


def _counted(client: Client, name: str) -> int:
    """The records that the function says it got, by its log."""
    pages = client.boto("logs").get_paginator("filter_log_events")
    found = pages.paginate(logGroupName=f"/aws/lambda/{name}", filterPattern="counted")
    events = [event for page in found for event in page["events"] if event["message"].startswith("counted ")]
    return sum(int(event["message"].split()[1]) for event in events)


def _private(pid: int) -> float | None:
    """Megabytes that only this process has."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return None
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1024


MEASURES: dict[str, Callable[[Bench], Iterator[Figures]]] = {
    "noop": no_op,
    "s3": s3,
    "sqs": sqs,
    "deep": sqs_deep,
    "ddb": dynamodb,
    "warm": lambda_warm,
    "first": lambda_first,
    "burst": lambda_burst,
    "scale": lambda_scale,
    "esm": sqs_drain,
}
