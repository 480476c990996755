"""What runtimes that are programs of their own have in common; `inside.command` becomes them."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

MODULE = "command"
"""Their zygotes' runtime."""
WRAPPER = "AWS_LAMBDA_EXEC_WRAPPER"


def wrapped(argv: Sequence[str], environment: Mapping[str, str]) -> dict[str, object]:
    """What to run for `argv` where the function may have a wrapper script around its runtime.

    https://docs.aws.amazon.com/lambda/latest/dg/runtimes-modify.html#runtime-wrapper
    """
    if environment.get(WRAPPER):
        return {"programs": [environment[WRAPPER]], "arguments": list(argv), "wrapped": True}
    return {"programs": list(argv[:1]), "arguments": list(argv[1:])}


def named(argv: Sequence[str], path: str) -> dict[str, object]:
    """What to run for `argv`, whose first is looked for in `path` (folders with colons between) where it names no folder."""
    name = argv[0]
    programs, missing = [name], f"fork/exec {name}: no such file or directory"
    if "/" not in name:
        programs = [f"{folder}/{name}" for folder in path.split(":") if folder]
        missing = f'exec: "{name}": executable file not found in $PATH'
    return {"programs": programs, "name": name, "arguments": list(argv[1:]), "missing": missing}


def launch_alone() -> Sequence[str]:
    """The process level's command: a Python that becomes the program once the function is known."""
    launcher = Path(__file__).parent.parent / "sandbox" / "launch.py"
    text = json.dumps({"runtime": MODULE})[:-1] + ', "orders": {orders}, "channel": {channel}, "log": {log}}'
    return [sys.executable, "-I", "-S", str(launcher), "runtimes.inside.alone", text]
