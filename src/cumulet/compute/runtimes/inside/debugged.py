"""Stands in for a function's module while it is debugged: waits for the debugger, then loads the function."""

import importlib
import os

import debugpy

debugpy.listen(("127.0.0.1", int(os.environ["CUMULET_DEBUG_PORT"])))
debugpy.wait_for_client()
_module, _, _name = os.environ["_HANDLER"].rpartition(".")
handler = getattr(importlib.import_module(_module.replace("/", ".")), _name)
