"""What goes into compute and what comes out: functions, invocations, outcomes. No AWS service is known here."""

import asyncio
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from cumulet.compute.response_stream import ResponseStream

ErrorKind = Literal["handled", "init", "timeout", "crash", "oom", "too_large"]

MAX_PAYLOAD = 6 * 1024 * 1024
"""Bytes of an invocation's event."""
MAX_RESPONSE = MAX_PAYLOAD + 100
"""Bytes of a buffered response; AWS allows a hundred more than the 6 MB it documents."""


class Image(msgspec.Struct, frozen=True, kw_only=True):
    """A container image, unpacked. Environments of an equal `id` share a root file system; `argv` is the program with its
    arguments, looked for in PATH where it names no folder; `folder` is where it starts."""

    id: str
    root: Path
    argv: tuple[str, ...]
    folder: str = "/"
    base: bool = False
    """Whether it is what functions run on, whose `code` and `layers` are mounted over it."""


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """A program that listens for connections itself: `entry` is its file below the code's folder, `port` where it listens
    inside, `processors` how many it may use."""

    entry: str
    port: int
    processors: float = 2.0


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """A program with a file system of its own that it may write to, for as long as it runs; for `Compute.boot` alone.

    The file system is that of `layers`, the first on top, over `image` (an unpacked container image) or, without one, over the
    machine's own system. What is written is kept on a disk of `disk_mb`, and never reaches the layers. Layers are folders of
    which overlay file systems are made: files that only root may change stay as they are inside.
    """

    layers: tuple[Path, ...]
    image: Path | None = None
    argv: tuple[str, ...] = ()
    """The program with its arguments, looked for in PATH where it names no folder."""
    folder: str = "/"
    disk_mb: int = 512
    processors: float = 1.0
    steps: tuple[Mapping[str, Any], ...] = ()
    """What is done instead of running `argv`, of `runtimes.inside.builder`; `code` is mounted meanwhile."""


class SharedFolder(msgspec.Struct, frozen=True, kw_only=True):
    """A file system that is mounted at `target`, a folder of /mnt: what is at `path` below `folder`, of which no part may be a link.

    Who the function is inside, is `uid` and `gid` on the disk, where environments have users of their own.
    """

    file_system: str
    target: str
    folder: Path
    path: str
    uid: int
    gid: int
    read_only: bool


class FunctionSpec(msgspec.Struct, frozen=True, kw_only=True):
    """Everything an environment needs to hold one function.

    `key` names the code and configuration together: environments are reused only for an equal key, so it must change
    whenever any other field does (function ARN, version and revision id do well). `environment` is the whole
    environment the function sees, reserved variables (AWS_REGION, AWS_LAMBDA_FUNCTION_NAME, ...) and credentials
    included; it is read when an environment is made.
    """

    key: str
    runtime: str
    """A Lambda runtime identifier: python3.12, nodejs20.x, provided.al2023."""
    handler: str
    code: Path
    """An unpacked folder on this machine; mounted read-only at /var/task."""
    layers: tuple[Path, ...] = ()
    """Unpacked folders, merged in this order (later ones win) read-only at /opt."""
    file_systems: tuple[SharedFolder, ...] = ()
    memory_mb: int = 128
    timeout: float = 3.0
    """Seconds an invocation may take."""
    tmp_mb: int = 512
    """Size of /tmp in MB."""
    environment: Mapping[str, str] = {}
    account: str = ""
    """What extensions are told that ask whose the function is."""
    runtime_version_arn: str = ""
    kept: bool = False
    """Environments of it stay when they are idle, as provisioned concurrency asks."""
    debugged: bool = False
    """A debugger may be connected: its environments are not frozen, which would stop the debugger's end in them as well."""
    image: Image | None = None
    """What it runs in and is, instead of `runtime`, `handler`, `code` and `layers`."""
    snapshot: bool = False
    """Its environments are initialised ahead and wait as a snapshot would, to be restored (`Compute.snapshot`)."""
    init_timeout: float = 10.0
    """Seconds the first part, until the handler is loaded, may take before it counts into the invocation."""
    shutdown_timeout: float = 2.0
    """Seconds that extensions and their function have to end in order; a quarter of them where no extension has a process."""
    concurrency: int = 1
    """Invocations that one environment serves at once."""
    max_environments: int = 0
    """Environments there may be of it, where each serves several invocations at once; 0 for as many as are needed."""
    server: Server | None = None
    """What it is instead of `handler`; for `Compute.server` alone."""
    machine: Machine | None = None
    """What it is instead of `runtime`, `handler` and `layers`; for `Compute.boot` alone."""


class Invocation(msgspec.Struct, frozen=True, kw_only=True):
    """One event for a function."""

    request_id: str
    payload: bytes
    deadline_ms: int
    """When the function must have answered, in milliseconds since 1970, as its context shows it. The limit that is
    kept is `FunctionSpec.timeout`, measured from when the event is given to the function."""
    function_arn: str
    client_context: bytes | None = None
    """JSON, as decoded from X-Amz-Client-Context."""
    identity: bytes | None = None
    """JSON with cognitoIdentityId and cognitoIdentityPoolId."""
    trace: str = ""
    """The X-Ray trace header, which becomes _X_AMZN_TRACE_ID."""
    tenant_id: str = ""
    """Whom it is for, of a function that keeps its tenants apart."""
    environment: Mapping[str, str] = {}
    """Variables to set before this invocation, such as refreshed credentials; usually empty."""
    max_response: int = MAX_RESPONSE
    stream: ResponseStream | None = None
    """Where the response goes as it is written. Its Outcome's payload is empty then, but for an error's document."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How an invocation ended.

    `payload` is the response or, where `error` is set, the error document as Lambda shows it
    ({"errorMessage": ..., "errorType": ...}). `handled`: the function raised or its result could not be sent (the
    environment lives on); `init`: it could not be loaded; `timeout`, `crash` and `oom`: the environment was killed or
    died; `too_large`: the response was over `Invocation.max_response`.
    """

    payload: bytes
    environment_id: str
    cold: bool
    duration: float
    """Seconds from the event's delivery to the answer."""
    max_memory: int
    """The most bytes this environment has used so far, as Lambda's REPORT line has it."""
    error: ErrorKind | None = None
    detail: str = ""
    """For `crash`: `signal: killed`, `exit status 1`, `oom` and `timeout` likewise; empty otherwise."""
    logs: bytes = b""
    """What the function wrote while this invocation ran, in order; the last 256 KB of it."""
    init_duration: float | None = None
    """Seconds until the handler was loaded; set on a cold start."""
    restore_duration: float | None = None
    """Seconds until an environment that waited as a snapshot was restored; set when it was for this invocation."""
    init_logs: bytes = b""
    error_type: str = ""
    """Of an invocation that failed: what of the platform's error types it is, Runtime.ExitError or Extension.Crash."""
    finished: "asyncio.Future[Outcome] | None" = None
    """Set where extensions are still at work for this invocation: gives what there is to report once they are done."""
    content_type: str = ""
    """What a response written in parts said it is; empty for others."""


class EnvironmentInfo(msgspec.Struct, frozen=True, kw_only=True):
    """An environment as others see it."""

    id: str
    """32 lower-case hexadecimal characters: fits a log stream's name."""
    key: str
    runtime: str
    cold: bool
    """Made for the invocation it is reported for."""
    endpoint_port: int = 0
    """Where the function reaches its platform, on 127.0.0.1; 0 when nowhere."""


class EnvironmentStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the status report."""

    id: str
    key: str
    runtime: str
    state: Literal["starting", "busy", "idle"]
    invocations: int


OnEndpoint = Callable[[EnvironmentInfo | None, socket.socket], Callable[[], None] | None]
"""Serves a listener that is open inside an environment, or where all of them come (None); what it gives back stops
serving. The socket stays compute's until that is called."""

OnEnvironment = Callable[[EnvironmentInfo], Mapping[str, str] | None]
"""Called when the environment of an invocation is known, before it gets the event. What it gives back is added to the
variables of an environment just made (AWS_LAMBDA_LOG_STREAM_NAME, say); ignored for a warm one."""

OnEvent = Callable[[EnvironmentInfo], None]
"""Called when an initialised environment gets its event: lines logged from then on belong to the invocation."""

OnPlatform = Callable[[EnvironmentInfo, str, Mapping[str, Any]], None]
"""Called with what the platform tells of an environment beside invocations: its type (platform.extension, ...) and record."""

OnLog = Callable[[EnvironmentInfo, bytes], None]
"""Called with each complete line a function wrote (without its end; messages of the runtime itself may hold several
lines), in order. Lines before the first event belong to the environment's first invocation."""


class RuntimeUnavailable(Exception):
    """This machine lacks what runs a runtime identifier; the message says what to install."""


class ComputeUnavailable(Exception):
    """No environment could be made; the message says why."""


class NotMounted(ComputeUnavailable):
    """A file system of the function could not be mounted."""


class NoRoom(Exception):
    """Every environment that there may be of a function serves as many invocations as it can."""


class RestoreFailed(Exception):
    """An environment could not be restored: a hook of the function failed or, with `timeout`, took too long."""

    def __init__(self, *, timeout: bool) -> None:
        super().__init__("the restoration of a snapshot failed")
        self.timeout = timeout


class NoSandboxes(ComputeUnavailable):
    """This machine cannot make sandboxes at all."""
