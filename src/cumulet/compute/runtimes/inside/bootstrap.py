"""What a wrapper script starts in place of a Python function's runtime: `python /var/runtime/bootstrap.py`.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-modify.html#runtime-wrapper
"""

import os
import runpy
import sys

_INSIDE = "/var/rapid/compute"
_HERE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))  # noqa: PTH100, PTH120 - before pathlib is loaded

if __name__ == "__main__":
    compute = _INSIDE if os.path.isdir(_INSIDE) else _HERE  # noqa: PTH112
    sys.argv[1:] = ["runtimes.inside.wrapped", "{}"]
    runpy.run_path(f"{compute}/sandbox/launch.py", run_name="__main__")
