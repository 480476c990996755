"""The Python runtime: what a zygote warms, and the loop that runs a function's invocations."""

from __future__ import annotations

import builtins
import gc
import importlib
import json
import os
import random
import socket
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from cumulet.compute.runtimes.inside import answers, faults, frames, handler, logs, sdk, snapshot, trace, wrapper
from cumulet.compute.runtimes.inside.context import Function, LambdaContext
from cumulet.compute.sandbox import messages

_WARM = (
    "asyncio", "base64", "collections", "concurrent.futures", "copy", "datetime", "decimal", "email.message",
    "functools", "hashlib", "http.client", "io", "itertools", "logging", "os", "re", "shutil", "ssl", "string",
    "subprocess", "tempfile", "threading", "typing", "urllib.parse", "urllib.request", "uuid",
)  # fmt: skip
_UNTIL_KNOWN = 12
"""Times that the interpreter runs code until it changes it no more. What changes is copied for every environment: with this,
an eighth less is."""
_ONCE_MORE = 2
"""Times after much else has been loaded, which takes the place of what the interpreter remembers."""


def warm(config: messages.Message) -> None:
    """In a zygote. One that is to `warm` imports what most functions import, so that environments share it."""
    if "warm" in config:
        for name in _WARM:
            importlib.import_module(name)
        if config["sdk"]:
            sdk.warm(config["sdk"])
        for _ in range(_ONCE_MORE):
            _rehearse_life()
        os.environ.clear()
        return
    sys.path[:] = [path for path in sys.path if not path.endswith(("site-packages", "dist-packages"))]
    site = importlib.import_module("site")
    site.setquit()
    site.setcopyright()
    builtins.__dict__.pop("copyright", None)
    logs.make_ahead()
    for _ in range(_UNTIL_KNOWN):
        _rehearse_life()
    os.environ.clear()  # environments have their function's


def run(orders: socket.socket, channel: socket.socket, start: messages.Message) -> None:
    """In a new environment: get ready, then serve a function's invocations until the platform is gone.

    `start` says whether to `rehearse`, which takes longer than it saves where a function waits already.
    """
    if "rehearse" in start:
        _rehearse()
    serve(orders, channel)


def serve(orders: socket.socket, channel: socket.socket) -> None:
    """Say that functions may come, wait for one, and serve its invocations; does not return."""
    messages.send(orders, {"warm": True})
    assignment, _ = messages.receive(orders)
    orders.close()
    if assignment is None:
        os._exit(0)
    if "wrapper" in assignment:
        wrapper.begin(assignment, channel)
    serve_assigned(assignment, channel)


def serve_assigned(assignment: messages.Message, channel: socket.socket) -> None:
    """Serve the invocations of a function; does not return."""
    output = logs.of_function()
    if "AWS_LAMBDA_MAX_CONCURRENCY" in assignment["environment"]:
        workers = importlib.import_module("cumulet.compute.runtimes.inside.workers")
        end_as(lambda: workers.serve(assignment, channel, output), output)
    end_as(lambda: _serve(assignment, frames.Frames(channel), output), output)


def end_as(serve: Callable[[], None], output: logs.Output) -> NoReturn:
    """Do it, and end this process as an interpreter does that had nothing else to do."""
    try:
        serve()
    except SystemExit as leaving:
        status = _exit_status(leaving, output)
    except BaseException as error:  # noqa: BLE001 - as an interpreter ends on what nobody caught
        output.message("".join(traceback.format_exception(type(error), error, error.__traceback__)))
        status = 1
    else:
        status = 0
    output.flush()
    os._exit(status)


def _serve(assignment: messages.Message, channel: frames.Frames, output: logs.Output) -> None:
    become(assignment)
    loaded = load(assignment["handler"], output)
    if isinstance(loaded, bytes):
        channel.send(frames.INIT_ERROR, loaded)
        return
    if os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") != snapshot.TYPE:
        channel.send(frames.READY, b"")
    elif not snapshot.wait(channel, output, reseed):
        return
    while (received := channel.receive()) is not None:
        kind, answer = loaded.invoke(*received)
        output.flush()
        channel.send(kind, answer)


def load(name: str, output: logs.Output) -> Loaded | bytes:
    """The function, ready for its invocations; the error's document when it cannot be loaded, which the log then tells of."""
    logs.set_up_logging(output)
    try:
        function = handler.load(name)
    except Exception as error:  # noqa: BLE001 - whatever the module raises is the function's answer
        document, message = faults.describe(error, "")
        output.fault(document, message)
        return document
    else:
        return Loaded(function, output)
    finally:
        output.flush()


class Loaded:
    """A handler that has been loaded, and what its invocations share."""

    def __init__(self, handler_: handler.Handler, output: logs.Output) -> None:
        self._handler = handler_
        self._output = output
        self._function = Function()
        self._encode = answers.encoder()

    def invoke(self, header: dict[str, Any], event: bytes | bytearray) -> tuple[int, bytes]:
        """The answer's kind and document."""
        self._output.request_id = header["request_id"]
        self._output.tenant_id = header.get("tenant_id") or None
        if "environment" in header:
            os.environ.update(header["environment"])
        if header.get("trace"):
            trace.set_trace(header["trace"])
        try:
            result = self._handler(_decode(event), LambdaContext(header, self._function))
            return frames.RESPONSE, self._document(result)
        except Exception as error:  # noqa: BLE001 - whatever the handler raises is the function's answer
            document, message = faults.describe(error, header["request_id"])
            self._output.fault(document, message)
            return frames.ERROR, document

    def _document(self, result: object) -> bytes:
        if isinstance(result, bytes):
            return result  # as AWS's runtime does: they are taken for JSON
        try:
            return self._encode(result).encode()
        except Exception as error:  # noqa: BLE001 - any __iter__ or __str__ of the result may raise
            raise faults.Fault("Runtime.MarshalError", f"Unable to marshal response: {error}") from None


def _decode(event: bytes | bytearray) -> object:
    try:
        text = event.decode()
        value, end = frames.parse(text)
        if end == len(text):
            return value
    except ValueError:
        pass  # it is no JSON, or has space around it, or another encoding
    try:
        return json.loads(event)
    except ValueError as error:
        raise faults.Fault("Runtime.UnmarshalError", f"Unable to unmarshal input: {error}") from None


def reseed() -> None:
    """Nothing of another process's randomness stays."""
    random.seed()
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed()


def become(assignment: messages.Message) -> None:
    """Take on the function's environment; nothing of another process's randomness or time zone stays."""
    if os.environ:
        os.environ.clear()
    os.environ.update(assignment["environment"])
    time.tzset()
    reseed()
    os.chdir(assignment["root"])
    for name in assignment["forget"]:
        for module in [module for module in sys.modules if module == name or module.startswith(name + ".")]:
            del sys.modules[module]
    extra = os.environ.get("PYTHONPATH")
    sys.path[:0] = assignment["paths"] + (extra.split(":") if extra else [])
    sys.argv = ["/var/runtime/bootstrap"]
    gc.enable()


def _exit_status(leaving: SystemExit, output: logs.Output) -> int:
    if leaving.code is None:
        return 0
    if isinstance(leaving.code, int):
        return leaving.code & 0xFF
    output.message(str(leaving.code))
    return 1


def _rehearse() -> None:
    """Touch what an invocation touches, ahead of it: pages shared with the zygote are copied now, not later."""
    folder = Path("/tmp/.rehearsal")  # noqa: S108 - the sandbox's own
    folder.mkdir()
    source = folder / "_rehearsal.py"
    source.write_text("import json, os\n\ndef handler(event, context):\n    return {'a': [1, 2.5, str(event)]}\n")
    sys.path.insert(0, str(folder))
    function = handler.load("_rehearsal.handler")
    sys.path.remove(str(folder))
    del sys.modules["_rehearsal"]
    sys.path_importer_cache.pop(str(folder), None)
    for path in (*folder.glob("__pycache__/*"), folder / "__pycache__"):
        path.rmdir() if path.is_dir() else path.unlink()
    source.unlink()
    folder.rmdir()
    loaded = Loaded(function, logs.of_function())
    for _ in range(2):
        _rehearse_invocation(loaded)
    os.environ.update(dict(os.environ))
    time.tzset()
    random.seed()


def _rehearse_life() -> None:
    """What an environment does with its function, for which a small module of the library stands in."""
    become({"environment": {"NAME": "value"}, "root": "/", "forget": [], "paths": []})
    load("colorsys.rgb_to_hsv", logs.of_function())
    sys.modules.pop("colorsys", None)
    _rehearse_invocation(Loaded(_answer, logs.of_function()))


def _rehearse_invocation(loaded: Loaded) -> None:
    here, there = socket.socketpair()
    channel, platform = frames.Frames(there), frames.Frames(here)
    header = json.dumps({"request_id": "", "function_arn": "", "deadline_ms": 0, "trace": "Root=1"}).encode()
    here.sendall(frames.HEAD.pack(frames.INVOKE, len(header), 2) + header + b"{}")
    received = channel.receive()
    assert received is not None
    kind, answer = loaded.invoke(*received)
    channel.send(kind, answer)
    platform._channel.recv(1000)
    here.close()
    there.close()
    try:
        json.loads("{")
    except ValueError as error:
        faults.describe(error, "")


def _answer(event: object, context: object) -> object:
    del context
    return {"a": [1, 2.5, str(event)]}
