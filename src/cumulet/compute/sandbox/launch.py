"""Started by path on any Python from 3.8: makes `cumulet.compute` importable without what the rest of Cumulet needs."""

from __future__ import annotations

import importlib
import json
import sys
import types
from pathlib import Path


def main() -> None:
    """`launch.py <module of cumulet.compute> <JSON configuration>`: calls the module's `main` with it."""
    compute = Path(__file__).resolve().parent.parent
    for name, folder in (("cumulet", compute.parent), ("cumulet.compute", compute)):
        package = types.ModuleType(name)
        package.__path__ = [str(folder)]
        sys.modules[name] = package
    importlib.import_module("cumulet.compute." + sys.argv[1]).main(json.loads(sys.argv[2]))


if __name__ == "__main__":
    main()
