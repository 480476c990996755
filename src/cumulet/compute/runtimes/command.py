"""How zygotes of runtimes that are programs of their own start: a plain Python that becomes the program in each environment."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from cumulet.compute.runtimes.runtime import Launch

INSIDE = "/var/rapid/compute"
_PYTHON = "/var/rapid/python"
WRAPPER = "AWS_LAMBDA_EXEC_WRAPPER"


def launch(binds: Sequence[tuple[str, str]] = ()) -> Launch:
    """The zygote runs on the interpreter that runs Cumulet. `binds` are what the program itself needs."""
    prefix = Path(sys.base_prefix).resolve()
    inside = "/usr" if prefix == Path("/usr") else _PYTHON
    own = [(str(Path(__file__).parent.parent), INSIDE)]
    if inside == _PYTHON:
        own.append((str(prefix), _PYTHON))
    config = json.dumps({"runtime": "cumulet.compute.runtimes.inside.command"})
    text = config[:-1] + ', "control": {control}, "pid_namespace": {pids}}'
    program = f"{inside}/bin/python{sys.version_info[0]}.{sys.version_info[1]}"
    return Launch(
        binds=[*own, *binds],
        argv=[program, "-I", "-S", f"{INSIDE}/sandbox/launch.py", "sandbox.zygote", text],
        environment={"LD_LIBRARY_PATH": f"{inside}/lib", "LANG": "C.UTF-8"},
    )


def wrapped(argv: Sequence[str], environment: Mapping[str, str]) -> dict[str, object]:
    """What to run for `argv` where the function may have a wrapper script around its runtime.

    https://docs.aws.amazon.com/lambda/latest/dg/runtimes-modify.html#runtime-wrapper
    """
    whole = [environment[WRAPPER], *argv] if environment.get(WRAPPER) else list(argv)
    return {"programs": whole[:1], "arguments": whole[1:]}
