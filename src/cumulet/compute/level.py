"""How well functions are isolated here, and what this machine lacks for more."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Literal

import msgspec

from cumulet.compute.linux import cgroup, probe

LevelName = Literal["full", "rootless", "process"]
_MEANING = {
    "full": "namespaces, system call filter, control groups: limits are enforced",
    "rootless": "user namespaces and system call filter; limits as far as control groups are delegated",
    "process": "NO ISOLATION: functions run as plain processes of this user and can read and do what it can",
}


class Level(msgspec.Struct, frozen=True, kw_only=True):
    """`abilities` maps each to the reason it is missing, empty when it is there."""

    name: LevelName
    meaning: str
    abilities: dict[str, str]
    advice: list[str]
    """What to do for a better level, a sentence each."""


async def detect(name: str, configured: str, tool_path: str) -> Level:
    """Find out by trying, in a process of its own.

    `name` is for trial control groups; programs are looked for in `tool_path`.
    """
    launcher = Path(__file__).parent / "sandbox" / "launch.py"
    config = json.dumps({"name": f"{name}-probe", "tool_path": tool_path})
    argv = [sys.executable, "-I", "-S", str(launcher), "linux.probe", config]
    # The loop's own way to start a process forks the node: ten milliseconds that the first call would wait for.
    output = (await asyncio.to_thread(subprocess.run, argv, stdout=subprocess.PIPE, check=False)).stdout
    abilities: dict[str, str] = json.loads(output) if output else dict.fromkeys(probe.ESSENTIAL, "could not be tried")
    level = _judge(abilities, root=os.getuid() == 0)
    if configured == "process":
        return msgspec.structs.replace(level, name="process", meaning=_MEANING["process"])
    return level


def _judge(abilities: dict[str, str], *, root: bool) -> Level:
    level: LevelName = "full" if root else "rootless"
    advice = []
    if lacking := [ability for ability in probe.ESSENTIAL if abilities[ability]]:
        level = "process"
        advice.append(f"Sandboxes need {', '.join(lacking)}: run as root, or allow user namespaces to this user.")
    wanted = [f"control group: {controller}" for controller in (cgroup.MEMORY, cgroup.CPU, cgroup.PIDS)]
    if level != "process" and any(abilities[ability] for ability in wanted):
        advice.append(
            "Limits of memory, CPU and processes need control groups: run as root, or under "
            "`systemd-run --user --scope -p Delegate=yes`."
        )
    if level != "process" and (why := abilities[probe.OUTBOUND]):
        advice.append(f"Functions reach their platform only ({why}).")
    return Level(name=level, meaning=_MEANING[level], abilities=abilities, advice=advice)
