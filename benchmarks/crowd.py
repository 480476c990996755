"""Many environments on one node: what they hold while warm, and what is left of them once they are gone.

python benchmarks/crowd.py                                 # 20 warm environments, 100 functions, 100 cold starts
python benchmarks/crowd.py --warm 200 --functions 1000 --cold 1000
"""

import argparse
import json
import os
import sys
import time
import uuid
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.client import OK, Client
from benchmarks.processes import Server
from benchmarks.run import OURS

SOURCE = "import time\ndef handler(event, context):\n    time.sleep(event.get('sleep', 0))\n    return {'ok': True}\n"
_AT_ONCE = 20
_REST = 8.0


def held(server: Server) -> dict[str, int]:
    """What the machine has of a node: processes, their descriptors, mounts, namespaces, groups."""
    tree = server.tree()
    supervisor = next(pid for pid in tree if Path(f"/proc/{pid}/comm").read_text() == "cumulet-super\n")
    namespaces = {str(Path(f"/proc/{pid}/ns/{kind}").readlink()) for pid in tree for kind in ("mnt", "net", "pid")}
    descriptors = (server.pid, supervisor)
    launched = next(pid for pid in tree if b"sandbox.supervisor" in Path(f"/proc/{pid}/cmdline").read_bytes())
    name = json.loads(Path(f"/proc/{launched}/cmdline").read_bytes().split(b"\0")[-2])["name"]
    return {
        "processes": len(tree),
        "descriptors": sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in descriptors),
        "mounts": len(Path(f"/proc/{supervisor}/mounts").read_text().splitlines()),
        "namespaces": len(namespaces),
        "groups": sum(len(names) for folder, names, _ in os.walk("/sys/fs/cgroup") if folder.endswith(f"/{name}")),
    }


def resting(server: Server) -> dict[str, float]:
    """Memory and processor time of a node that nobody uses."""
    time.sleep(_REST)
    before = server.cpu()
    time.sleep(_REST)
    return {"pss_mb": round(server.memory(), 1), "cpu_percent": round((server.cpu() - before) / _REST * 100, 2)}


def cold_starts(client: Client, run: str, count: int) -> int:
    """Each round's environments end with their function; gives the errors."""
    errors = 0
    for number in range(0, count, _AT_ONCE):
        name = f"cold-{run}-{number}"
        client.function(name, SOURCE)
        request = [client.invoke_request(name, {"sleep": 0.3})]
        errors += client.replay(request, _AT_ONCE, _AT_ONCE, seconds=60, check=OK).errors
        client.boto("lambda").delete_function(FunctionName=name)
    return errors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--warm", type=int, default=20)
    parser.add_argument("--functions", type=int, default=100)
    parser.add_argument("--cold", type=int, default=100)
    options = parser.parse_args()
    server, run = Server("cumulet", OURS), uuid.uuid4().hex[:8]
    client = Client(server.endpoint)
    try:
        server.start(lambda: client.replay([client.build("s3", "list_buckets")], 1, seconds=5).errors == 0)
        cold_starts(client, f"{run}-first", _AT_ONCE)
        before = {**resting(server), **held(server)}
        errors = cold_starts(client, run, options.cold)
        print(json.dumps({"cold starts": options.cold, "errors": errors, "before": before}))
        print(json.dumps({"after": {**resting(server), **held(server)}}))
        for number in range(options.functions):
            client.function(f"many-{run}-{number}", SOURCE)
        request = [client.invoke_request(f"many-{run}-0", {"sleep": 2.0 + options.warm / 50})]
        result = client.replay(request, options.warm, options.warm, seconds=120, check=OK)
        crowd = {"functions": options.functions, "warm": options.warm, "errors": result.errors}
        print(json.dumps({**crowd, **resting(server), **held(server)}))
    finally:
        server.remove()


if __name__ == "__main__":
    main()
