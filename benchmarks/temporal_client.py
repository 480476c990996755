"""The other side of `temporal.py`: a client and a worker of Temporal's, in a Python that has its SDK.

For each measure it says its name, waits for a line, measures, and says what came out, as JSON.
"""
# mypy: ignore-errors
# (the SDK is in that other Python alone)

import asyncio
import json
import sys
import time
from datetime import timedelta
from typing import Any

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.service import RPCError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

QUEUE = "bench"
CLIENTS = 8
_SOON = timedelta(seconds=10)
_PATIENCE = 60.0


@activity.defn
async def step() -> None:
    """Nothing."""


@workflow.defn
class Steps:
    """So many steps, one after the other: activities, or local ones, which the worker does itself and the server only records."""

    @workflow.run
    async def run(self, count: int, local: bool) -> None:
        for _ in range(count):
            if local:
                await workflow.execute_local_activity(step, start_to_close_timeout=_SOON)
            else:
                await workflow.execute_activity(step, start_to_close_timeout=_SOON)


async def connected(address: str) -> Client:
    """A client, as soon as the server has its namespace."""
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            client = await Client.connect(address)
            await client.execute_workflow(Steps.run, args=[1, True], id="first", task_queue=QUEUE)
        except (RPCError, RuntimeError):
            if time.monotonic() > end:
                raise
            await asyncio.sleep(0.2)
        else:
            return client


async def alone(client: Client, name: str, times: int, count: int, local: bool) -> dict[str, Any]:
    """One after the other, each from its start until its result is here."""
    found = []
    for number in range(times):
        begun = time.perf_counter()
        await client.execute_workflow(Steps.run, args=[count, local], id=f"{name}-{number}", task_queue=QUEUE)
        found.append((time.perf_counter() - begun) * 1e3)
    found.sort()
    return {
        "p50_ms": found[len(found) // 2],
        "p99_ms": found[min(len(found) - 1, len(found) * 99 // 100)],
        "count": times,
    }


async def at_once(client: Client, name: str, times: int, count: int) -> dict[str, Any]:
    """Started by eight at a time; until the last result is here."""
    room = asyncio.Semaphore(CLIENTS)

    async def one(number: int) -> None:
        async with room:
            handle = await client.start_workflow(Steps.run, args=[count, True], id=f"{name}-{number}", task_queue=QUEUE)
        await handle.result()

    begun = time.perf_counter()
    await asyncio.gather(*(one(number) for number in range(times)))
    return {"per_s": times * count / (time.perf_counter() - begun), "count": times * count}


async def main(address: str, run: str, times: int, many: int) -> None:
    first = asyncio.ensure_future(_worker(address))
    client = await connected(address)
    measures = {
        "ten": lambda: alone(client, f"{run}-ten", times, 10, True),
        "ten activities": lambda: alone(client, f"{run}-act", times, 10, False),
        "many": lambda: at_once(client, f"{run}-many", many, 10),
        "five": lambda: alone(client, f"{run}-five", times, 5, False),
    }
    for name, measure in measures.items():
        print(json.dumps({"next": name}), flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        before = time.process_time()
        values = await measure()
        values["worker_cpu_us"] = (time.process_time() - before) / values["count"] * 1e6
        print(json.dumps(values), flush=True)
    first.cancel()


async def _worker(address: str) -> None:
    while True:
        try:
            client = await Client.connect(address)
            runner = UnsandboxedWorkflowRunner()
            await Worker(client, task_queue=QUEUE, workflows=[Steps], activities=[step], workflow_runner=runner).run()
        except (RPCError, RuntimeError):
            await asyncio.sleep(0.2)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
