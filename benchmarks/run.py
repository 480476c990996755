"""Measures a fresh node, and a peer beside it if one is given, on loopback.

    python benchmarks/run.py                                   # the whole table
    python benchmarks/run.py --only s3,sqs --repeat 5
    python benchmarks/run.py --peer-name ministack --peer "ministack" --peer-env GATEWAY_PORT={port}

The two take turns measure by measure, so that noise on the machine meets both. Progress goes to standard error, a Markdown
table (or JSON lines with --json) to standard output.
"""

import argparse
import compileall
import json
import sys
import time
import uuid
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import measures
from benchmarks.apis import gateways
from benchmarks.client import Client
from benchmarks.figures import Figures, middle, table
from benchmarks.machine import awake, pace
from benchmarks.measures import Bench
from benchmarks.processes import Server
from benchmarks.workflows import workflows

MEASURES = measures.MEASURES | {"apigw": gateways, "sfn": workflows}
OURS = f"{sys.executable} -m cumulet up --data {{data}} --port {{port}}"


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def started(server: Server, times: int) -> list[Figures]:
    """Start several times, then look at the idle server; it is left running."""
    runs = []
    for number in range(times):
        if number:
            server.stop()
        client = Client(server.endpoint)
        request = [client.build("s3", "list_buckets")]

        def answers(client: Client = client, request: list[bytes] = request) -> bool:
            result = client.replay(request, 1, seconds=5)
            return result.done == 1 and result.errors == 0

        runs.append(Figures("start", {"seconds": server.start(answers)}))
    time.sleep(4)
    before = server.cpu()
    time.sleep(4)
    idle = Figures("idle", {"pss_mb": server.memory(), "cpu_percent": (server.cpu() - before) / 4 * 100})
    return [middle(runs), idle]


def measured(bench: Bench, name: str) -> list[Figures]:
    """One round of a measure; what a server cannot do is a row that says so."""
    try:
        return list(MEASURES[name](bench))
    except Exception as error:  # noqa: BLE001  a peer's failure must not end the comparison
        return [Figures(name, {}, 1, f"{type(error).__name__}: {error}")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="start," + ",".join(MEASURES), help="measures, separated by commas")
    parser.add_argument("--repeat", type=int, default=3, help="rounds of each measure; medians are shown")
    parser.add_argument("--peer", help="command of another server; {port} and {data} are filled in")
    parser.add_argument("--peer-name", default="peer")
    parser.add_argument("--peer-env", action="append", default=[], help="NAME=VALUE for it, {port} is filled in")
    parser.add_argument("--json", action="store_true", help="JSON lines instead of a table")
    options = parser.parse_args()
    wanted = [name for name in options.only.split(",") if name]
    if unknown := set(wanted) - {"start", *MEASURES}:
        parser.error(f"no such measure: {', '.join(sorted(unknown))}; there are start, {', '.join(MEASURES)}")
    # As an installer does: nobody who installs a package compiles it at every start.
    compileall.compile_dir(Path(__file__).parents[1] / "src", quiet=1)
    servers = [Server("cumulet", OURS)]
    if options.peer:
        servers.append(Server(options.peer_name, options.peer, dict(pair.split("=", 1) for pair in options.peer_env)))
    results: dict[str, list[Figures]] = {}
    with awake() as possible:
        say("processors: kept awake" if possible else "processors: may doze (root could keep them awake)")
        try:
            for server in servers:
                say(f"start: {server.name}")
                figures = started(server, options.repeat if "start" in wanted else 1)
                results[server.name] = figures if "start" in wanted else []
            for name in wanted:
                if name in MEASURES:
                    measure(servers, name, options.repeat, results)
        finally:
            for server in servers:
                server.remove()
    show(results, as_json=options.json)


def measure(servers: list[Server], name: str, repeat: int, results: dict[str, list[Figures]]) -> None:
    """Rounds of one measure, the servers taking turns."""
    rounds: dict[str, dict[str, list[Figures]]] = {server.name: {} for server in servers}
    for number in range(repeat):
        for server in servers:
            say(f"{name} {number + 1}/{repeat}: {server.name} (pace {pace():.1f} ms)")
            for figures in measured(Bench(server, uuid.uuid4().hex[:8]), name):
                rounds[server.name].setdefault(figures.measure, []).append(figures)
    for server in servers:
        results[server.name] += [middle(runs) for runs in rounds[server.name].values()]


def show(results: dict[str, list[Figures]], *, as_json: bool) -> None:
    if not as_json:
        print(table(results))
        return
    for name, figures in results.items():
        for each in figures:
            print(json.dumps({"server": name} | asdict(each)))


if __name__ == "__main__":
    main()
