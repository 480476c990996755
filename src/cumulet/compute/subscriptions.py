"""What an extension may subscribe to: requests of the Telemetry and the Logs API, checked, and their versions' forms.

https://docs.aws.amazon.com/lambda/latest/dg/telemetry-api-reference.html, .../runtimes-logs-api.html
"""

from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec

from cumulet.compute.records import Event

TELEMETRY_SCHEMAS = ("2022-07-01", "2022-12-13", "2025-01-29")
LOGS_SCHEMAS = ("2020-08-15", "2021-03-18")
_HOSTS = {"sandbox.localdomain", "sandbox"}
_TYPES = frozenset({"platform", "function", "extension"})
_ITEMS = (1_000, 10_000, 10_000)
_BYTES = (262_144, 1_048_576, 262_144)
_TIMEOUT = (25, 30_000, 1_000)
"""Least, most and usual."""


class Destination(msgspec.Struct, frozen=True):
    """Where to on the environment's loopback; `path` of HTTP's requests."""

    protocol: Literal["HTTP", "TCP"]
    port: int
    host: str = ""
    path: str = "/"


class Subscription(msgspec.Struct, frozen=True):
    """`timeout` in seconds."""

    schema: str
    types: frozenset[str]
    destination: Destination
    max_items: int
    max_bytes: int
    timeout: float


class Invalid(Exception):
    """A request that is none; the message says why."""


def parse(body: bytes, schemas: tuple[str, ...]) -> Subscription:
    """Raises Invalid."""
    try:
        request = msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise Invalid(f"Invalid JSON: {error}") from None
    if not isinstance(request, dict):
        raise Invalid("The request must be a JSON object")
    schema = request.get("schemaVersion", schemas[0] if schemas == LOGS_SCHEMAS else None)
    if schema not in schemas:
        raise Invalid(f"schemaVersion must be one of {', '.join(schemas)}")
    types = request.get("types")
    if not isinstance(types, list) or not types or not all(isinstance(one, str) and one in _TYPES for one in types):
        raise Invalid("types must be an array with at least one of platform, function, extension")
    buffering = request.get("buffering", {})
    if not isinstance(buffering, dict):
        raise Invalid("buffering must be an object")
    return Subscription(
        schema=schema,
        types=frozenset(types),
        destination=_destination(request.get("destination")),
        max_items=_within(buffering, "maxItems", _ITEMS),
        max_bytes=_within(buffering, "maxBytes", _BYTES),
        timeout=_within(buffering, "timeoutMs", _TIMEOUT) / 1000,
    )


def _within(buffering: dict[str, Any], name: str, bounds: tuple[int, int, int]) -> int:
    least, most, usual = bounds
    value = buffering.get(name)
    if value is None:
        return usual
    if type(value) is not int or not least <= value <= most:
        raise Invalid(f"buffering.{name} must be an integer from {least} to {most}")
    return value


def _destination(wanted: Any) -> Destination:
    if not isinstance(wanted, dict) or wanted.get("protocol") not in {"HTTP", "TCP"}:
        raise Invalid("destination.protocol must be HTTP or TCP")
    if wanted["protocol"] == "TCP":
        port = wanted.get("port")
        if type(port) is not int or not 1 <= port <= 65_535:
            raise Invalid("destination.port must be an integer from 1 to 65535")
        return Destination("TCP", port)
    if wanted.get("method", "POST") not in {"POST", "PUT"} or wanted.get("encoding", "JSON") != "JSON":
        raise Invalid("destination.method must be POST, destination.encoding JSON")
    uri = wanted.get("URI")
    if not isinstance(uri, str) or not uri.isascii() or not uri.isprintable() or " " in uri:
        raise Invalid("destination.URI is required")
    try:
        parts = urlsplit(uri)
        port = parts.port or 80
    except ValueError as error:
        raise Invalid(f"destination.URI: {error}") from None
    if parts.scheme != "http" or parts.hostname not in _HOSTS:
        raise Invalid("destination.URI host must be sandbox.localdomain")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Destination("HTTP", port, parts.netloc, path)


def translated(event: Event, schema: str) -> Event | None:
    """The event as a version has it; None where it has none such."""
    if not isinstance(event.record, dict):
        if schema != "2022-07-01" and event.type == "function" and schema not in LOGS_SCHEMAS:
            return _structured(event)
        return event
    if schema in LOGS_SCHEMAS:
        return _as_log(event, schema)
    return None if event.type in _ONLY_IN_LOGS else event


def _structured(event: Event) -> Event:
    """A line that is a JSON object is told as one, from version 2022-12-13 on."""
    line = event.record
    if line.startswith("{"):
        try:
            return Event(event.time, event.type, msgspec.json.decode(line))
        except (msgspec.DecodeError, RecursionError):
            return event
    return event


_ONLY_IN_LOGS = {"platform.end", "platform.logsSubscription"}
_IN_LOGS = {
    "platform.start": ("requestId", "version"),
    "platform.report": ("requestId", "metrics"),
    "platform.extension": ("name", "state", "events"),
    "platform.logsSubscription": ("name", "state", "types"),
    "platform.logsDropped": ("reason", "droppedRecords", "droppedBytes"),
    "platform.end": ("requestId",),
}


def _as_log(event: Event, schema: str) -> Event | None:
    if event.type == "platform.runtimeDone" and schema == "2021-03-18":
        names: tuple[str, ...] = ("requestId", "status")
    elif event.type in _IN_LOGS:
        names = _IN_LOGS[event.type]
    else:
        return None
    return Event(event.time, event.type, {name: event.record[name] for name in names if name in event.record})
