"""The AWS SDK, loaded once in the zygote so that a function's first client takes milliseconds."""

from __future__ import annotations

import functools
import gc
import importlib
import marshal
import os
import sys
import types
from collections.abc import Callable
from typing import Any, Dict

_READS = (
    "load_data",
    "load_data_with_path",
    "determine_latest_version",
    "list_api_versions",
    "list_available_services",
)
_COMMON = (
    "s3",
    "dynamodb",
    "sqs",
    "sns",
    "lambda",
    "events",
    "secretsmanager",
    "stepfunctions",
    "kinesis",
    "ssm",
    "sts",
)
"""Services whose descriptions are kept ready: as bytes, which a fork shares for good, unlike objects."""
_DESCRIPTIONS = ("service-2", "endpoint-rule-set-1")
_REHEARSED = ("sts",)
"""Clients made once, so that what every client needs is loaded and compiled."""
_NICE = 5
"""Of work that functions called meanwhile must not wait for."""


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
    """Remember what the SDK reads from its data files, across its sessions, and make a few clients."""
    loaders = importlib.import_module("botocore.loaders")
    descriptions = Descriptions(loaders.Loader)
    boto3: Any = importlib.import_module("boto3")
    for name in _READS:
        setattr(loaders.Loader, name, _remembered(getattr(loaders.Loader, name)))
    handlers, names = _remember_handlers()
    session = boto3.session.Session("-", "-", region_name="us-east-1")
    descriptions.put_into(loaders.Loader, tuple(session._loader.search_paths))
    for service in _REHEARSED:
        session.client(service, endpoint_url="http://127.0.0.1:1").close()
    session.get_available_resources()
    boto3.DEFAULT_SESSION = None
    descriptions.forget()
    handlers.complete = names.complete = True


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


class Descriptions:
    """What the SDK knows of common services, in place of reading its files: which a process of its own does meanwhile."""

    def __init__(self, loader: Any) -> None:
        self._packing = in_child(lambda: _pack(loader()))
        self._packed: dict[tuple[str, str], bytes] = {}
        self._unpacked: dict[tuple[str, str], Any] = {}

    def put_into(self, loader: Any, places: tuple[str, ...]) -> None:
        """Have every loader read from here, except one that looks elsewhere than in the SDK's own `places`."""
        read = loader.load_service_model
        self._packed = marshal.loads(self._packing())  # noqa: S302 - made here

        @functools.wraps(read)
        def reading(itself: Any, service_name: str, type_name: str, api_version: str | None = None) -> Any:
            key = (service_name, type_name)
            if key not in self._packed or api_version is not None or not set(places).issuperset(itself.search_paths):
                return read(itself, service_name, type_name, api_version)
            if key not in self._unpacked:
                self._unpacked[key] = _unpacked(self._packed[key])
            return self._unpacked[key]

        loader.load_service_model = reading

    def forget(self) -> None:
        """Keep the bytes only."""
        self._unpacked.clear()


def in_child(work: Callable[[], bytes]) -> Callable[[], bytes]:
    """Have `work` done in a process of its own: the memory it needs meanwhile is not left in this one. Gives what waits for
    its result."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.nice(_NICE)
            os.close(reading)
            with os.fdopen(writing, "wb") as answer:
                answer.write(work())
        finally:
            os._exit(0)
    os.close(writing)
    pipe = os.fdopen(reading, "rb")  # closed with whoever would have waited, after which that process ends

    def result() -> bytes:
        with pipe:
            data = pipe.read()
        os.waitpid(child, 0)
        return data

    return result


def _pack(loader: Any) -> bytes:
    packed = {}
    for service in _COMMON:
        for kind in _DESCRIPTIONS:
            packed[service, kind] = marshal.dumps(_without_documentation(loader.load_service_model(service, kind)))
    return marshal.dumps(packed)


def _unpacked(data: bytes) -> Any:
    """Without the collections that so many new objects would set off."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        return marshal.loads(data)  # noqa: S302 - made here
    finally:
        if collecting:
            gc.enable()


def _without_documentation(value: Any) -> Any:
    """Every text of a documentation emptied; none is left out, since some descriptions must have one."""
    if isinstance(value, dict):
        return {
            name: "" if name == "documentation" and isinstance(part, str) else _without_documentation(part)
            for name, part in value.items()
        }
    return [_without_documentation(part) for part in value] if isinstance(value, list) else value


class Findings(Dict[Any, Any]):
    """What a function has been found to give, filled until `complete`: nothing of a function's own is kept alive."""

    complete = False

    def get_or_find(self, key: Any, find: Callable[[], Any]) -> Any:
        if key in self:
            return self[key]
        found = find()
        if not self.complete:
            self[key] = found
        return found


def _remember_handlers() -> tuple[Findings, Findings]:
    """Every session registers the same handlers for the same events, at some cost: what is found out is remembered."""
    hooks: Any = importlib.import_module("botocore.hooks")
    handlers, names = Findings(), Findings()
    accepts_kwargs, alias = hooks.accepts_kwargs, hooks.EventAliaser._alias_event_name

    def accepting(handler: Any) -> Any:
        if type(handler) is not types.FunctionType:
            return accepts_kwargs(handler)
        return handlers.get_or_find(handler, lambda: accepts_kwargs(handler))

    def aliased(self: Any, event_name: str) -> Any:
        if self._event_aliases is not hooks.EVENT_ALIASES:
            return alias(self, event_name)
        return names.get_or_find(event_name, lambda: alias(self, event_name))

    hooks.accepts_kwargs, hooks.EventAliaser._alias_event_name = accepting, aliased
    return handlers, names
