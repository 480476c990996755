"""The AWS SDK, loaded once in the zygote so that a function's first client takes milliseconds."""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable
from typing import Any

_READS = (
    "load_service_model",
    "load_data",
    "load_data_with_path",
    "determine_latest_version",
    "list_api_versions",
    "list_available_services",
)
_REHEARSED = "sts"
"""A client with a small model, made once: it loads and compiles what every client needs."""


def warm(folder: str) -> None:
    """Load the SDK from `folder`; a Python too old for it goes without."""
    before = set(sys.modules)
    sys.path.append(folder)
    try:
        _load()
    except (ImportError, SyntaxError, TypeError):
        sys.path.remove(folder)
        for name in set(sys.modules) - before:
            del sys.modules[name]


def _load() -> None:
    """Remember what the SDK reads from its data files, across its sessions, and make one client."""
    loaders = importlib.import_module("botocore.loaders")
    for name in _READS:
        setattr(loaders.Loader, name, _remembered(getattr(loaders.Loader, name)))
    boto3: Any = importlib.import_module("boto3")
    session = boto3.session.Session("-", "-", region_name="us-east-1")
    session.client(_REHEARSED, endpoint_url="http://127.0.0.1:1").close()
    session.get_available_resources()
    boto3.DEFAULT_SESSION = None


def _remembered(method: Callable[..., Any]) -> Callable[..., Any]:
    """Per search path and arguments, not per loader: each session makes a loader of its own."""
    known: dict[Any, Any] = {}

    @functools.wraps(method)
    def remembering(self: Any, *arguments: Any, **named: Any) -> Any:
        key = (tuple(self.search_paths), arguments, tuple(sorted(named.items())))
        if key not in known:
            known[key] = method(self, *arguments, **named)
        return known[key]

    return remembering
