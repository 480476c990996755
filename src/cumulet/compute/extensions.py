"""The extensions of one environment: who registered, who waits, who failed. Knows no HTTP and no processes.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

import msgspec

from cumulet.compute.model import Invocation
from cumulet.kernel.ids import new_id

MOST = 10
INVOKE, SHUTDOWN = "INVOKE", "SHUTDOWN"
_CRASH, _LAUNCH_ERROR = "Extension.Crash", "Extension.LaunchError"


class Waiter(Protocol):
    """Someone who asked for the next event."""

    def event(self, extension: "Extension", body: bytes) -> None: ...


class Refusal(Exception):
    """A request that is out of turn; answered 403."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


class Extension:
    """One of them. `state` is AWS's name of it; an external one has a process of its own."""

    def __init__(self, name: str, *, external: bool) -> None:
        self.id = new_id()
        self.name = name
        self.external = external
        self.state = "Started"
        self.events: tuple[str, ...] = ()
        self.error_type = ""
        self.waiter: Waiter | None = None
        self.pending: bytes | None = None

    @property
    def over(self) -> bool:
        return self.state in {"Exited", "LaunchError", "InitError", "ExitError"}


class Extensions:
    """All of one environment.

    `on_registered` is called once every external one has registered, `on_failure` with an error type and what happened
    when one fails, `on_state` whenever what is said of one in the log changes.
    """

    def __init__(
        self,
        on_registered: Callable[[], None],
        on_failure: Callable[[str, str], None],
        on_state: Callable[[Extension], None],
    ) -> None:
        self._on_registered = on_registered
        self._on_failure = on_failure
        self._on_state = on_state
        self._by_id: dict[str, Extension] = {}
        self._when_ready: list[Callable[[], None]] = []
        self.closed = False
        self.ending = False

    def __iter__(self) -> Iterator[Extension]:
        return iter(self._by_id.values())

    def launched(self, told: list[Mapping[str, str]]) -> None:
        """The external ones that were started, or could not be."""
        for number, one in enumerate(told):
            extension = Extension(one["name"], external=True)
            self._by_id[extension.id] = extension
            why = one["error"] or ("TooManyExtensions" if number >= MOST else "")
            if why:
                self._fail(extension, "LaunchError", why, _LAUNCH_ERROR)

    def find(self, id_: str) -> Extension | None:
        return self._by_id.get(id_)

    def register(self, name: str, events: list[str]) -> Extension:
        """Raises Refusal."""
        known = next((one for one in self._by_id.values() if one.name == name), None)
        external = known is not None and known.external
        for event in events:
            if event not in {INVOKE, SHUTDOWN}:
                raise Refusal("Extension.InvalidEventType", f"{event}: ErrorInvalidEventType")
            if event == SHUTDOWN and not external:
                raise Refusal("Extension.InvalidEventType", f"{event}: ShutdownEventNotSupportedForInternalExtension")
        if known is None:
            known = self._internal(name)
        elif not external:
            raise Refusal("Extension.InvalidExtensionState", "Extension with this name already registered")
        elif known.state != "Started":
            raise _out_of_turn(known, "Registered", known.name)
        known.events = tuple(dict.fromkeys(events))
        known.state = "Registered"
        if external and all(one.state != "Started" for one in self._by_id.values()):
            self._on_registered()
        return known

    def _internal(self, name: str) -> Extension:
        if self.closed:
            raise Refusal("Extension.RegistrationClosed", "Extension registration closed already")
        if len(self._by_id) >= MOST:
            raise Refusal("Extension.TooManyExtensions", f"Extension limit ({MOST}) reached")
        extension = Extension(name, external=False)
        self._by_id[extension.id] = extension
        return extension

    def next(self, extension: Extension, waiter: Waiter) -> None:
        """It is done with what it was given, and waits for an event. Raises Refusal."""
        if extension.state == "Ready" and extension.waiter is None:  # its connection broke: it asks again
            self._hand_over(extension, waiter)
            return
        if extension.state not in {"Registered", "Running"}:
            raise _out_of_turn(extension, "Ready", extension.id)
        extension.state = "Ready"
        self._hand_over(extension, waiter)
        self._tell_ready()

    def _hand_over(self, extension: Extension, waiter: Waiter) -> None:
        extension.waiter = waiter
        if extension.pending is not None:
            body, extension.pending = extension.pending, None
            self._give(extension, body)

    def gone(self, waiter: Waiter) -> None:
        """A connection on which one may have waited is closed."""
        for extension in self._by_id.values():
            if extension.waiter is waiter:
                extension.waiter = None

    def failed(self, extension: Extension, phase: str, error_type: str) -> None:
        """It says so itself; `phase` is InitError or ExitError. Raises Refusal."""
        if extension.state == phase:
            return
        allowed = {"Registered"} if phase == "InitError" else {"Registered", "Ready", "Running"}
        if extension.state not in allowed:
            raise _out_of_turn(extension, phase, extension.id)
        self._fail(extension, phase, error_type, f"Extension.{phase}", error_type)

    def ended(self, name: str, how: str) -> None:
        """The process of an external one is gone."""
        extension = next((one for one in self._by_id.values() if one.external and one.name == name), None)
        if extension is None or extension.over:
            return
        if self.ending:
            extension.state = "Exited"
            self._tell_ready()
        else:
            self._fail(extension, "Exited", "", _CRASH, how)

    @property
    def ready(self) -> bool:
        """Whether every one waits for its next event."""
        return all((one.state == "Ready" and one.pending is None) or one.over for one in self._by_id.values())

    def when_ready(self, act: Callable[[], None]) -> None:
        """Call once every one waits for an event: at once if they do."""
        if self.ready:
            act()
        else:
            self._when_ready.append(act)

    def invoke(self, invocation: Invocation) -> None:
        """Tell of an invocation, which is over when all of them ask for the next."""
        self.closed = True
        event: dict[str, object] = {
            "eventType": INVOKE,
            "deadlineMs": invocation.deadline_ms,
            "requestId": invocation.request_id,
            "invokedFunctionArn": invocation.function_arn,
        }
        if invocation.trace:
            event["tracing"] = {"type": "X-Amzn-Trace-Id", "value": invocation.trace}
        self._send(INVOKE, event)

    def shut_down(self, reason: str, deadline_ms: int) -> list[Extension]:
        """Tell those that want to know; gives the external ones to wait for."""
        self.ending = True
        self._send(SHUTDOWN, {"eventType": SHUTDOWN, "deadlineMs": deadline_ms, "shutdownReason": reason})
        return [one for one in self._by_id.values() if one.external and SHUTDOWN in one.events and not one.over]

    @property
    def external(self) -> bool:
        return any(one.external for one in self._by_id.values())

    def _send(self, kind: str, event: dict[str, object]) -> None:
        body = msgspec.json.encode(event)
        for extension in self._by_id.values():
            if kind in extension.events and not extension.over:
                self._give(extension, body)

    def _give(self, extension: Extension, body: bytes) -> None:
        if extension.waiter is None:
            extension.pending = body
            return
        waiter, extension.waiter = extension.waiter, None
        extension.state = "Running"
        waiter.event(extension, body)

    def _fail(self, extension: Extension, state: str, shown: str, error_type: str, how: str = "") -> None:
        extension.state = state
        extension.error_type = shown
        self._on_state(extension)
        if not self.ending:
            self._on_failure(error_type, how or shown)

    def _tell_ready(self) -> None:
        if self.ready:
            waiting, self._when_ready = self._when_ready, []
            for act in waiting:
                act()


def _out_of_turn(extension: Extension, wanted: str, who: str) -> Refusal:
    message = (
        f"State transition from {extension.state} to {wanted} failed for extension {who}. "
        "Error: State transition is not allowed"
    )
    return Refusal("Extension.InvalidExtensionState", message)
