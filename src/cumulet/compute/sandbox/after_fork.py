"""What modules of Python's library want done after each fork (`os.register_at_fork`), kept from the zygote's own forks.

It is for processes that have threads, of which the zygote has none, and touches many pages: each is copied for the child.
"""

from __future__ import annotations

import os
import sys
from typing import Any

_register = os.register_at_fork
_wanted: list[dict[str, Any]] = []


def keep() -> None:
    """From now on such wishes are only kept."""
    os.register_at_fork = lambda **wish: _wanted.append(wish)


def give() -> None:
    """In an environment: its own forks do what was wished."""
    os.register_at_fork = _register
    for wish in _wanted:
        _register(**wish)
    threading = sys.modules.get("threading")
    if threading is not None:  # all that has changed for a process with one thread
        threading.main_thread()._set_native_id()
