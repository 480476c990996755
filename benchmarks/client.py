"""Requests as boto3 makes them, taken just before they are sent."""

import io
import json
import time
import zipfile
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.awsrequest import AWSResponse
from botocore.config import Config

from benchmarks.load import Check, Result, replay

REGION = "us-east-1"
# What both sides of a comparison are asked is the same work: no checksums but those a service demands.
_CONFIG = Config(
    retries={"total_max_attempts": 1},
    read_timeout=90,
    inject_host_prefix=False,
    request_checksum_calculation="when_required",
    response_checksum_validation="when_required",
    s3={"addressing_style": "path", "payload_signing_enabled": False},
)


class Client:
    """One endpoint, spoken to as the account behind the key `test`."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.address = ("127.0.0.1", urlsplit(endpoint).port or 80)
        self._clients: dict[str, Any] = {}
        self._builders: dict[str, tuple[Any, list[Any]]] = {}

    def boto(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = self._new(service)
        return self._clients[service]

    def _new(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=_CONFIG,
        )

    def build(self, service: str, operation: str, **parameters: Any) -> bytes:
        """The bytes of a complete signed request."""
        if service not in self._builders:
            client, caught = self._new(service), []

            def catch(request: Any, **_: Any) -> AWSResponse:
                caught.append(request)
                raw = io.BytesIO(b"{}")
                raw.stream = lambda *_, **__: iter([b"{}"])  # type: ignore[attr-defined]
                return AWSResponse(request.url, 200, {}, raw)

            client.meta.events.register("before-send", catch)
            self._builders[service] = (client, caught)
        client, caught = self._builders[service]
        caught.clear()
        try:
            getattr(client, operation)(**parameters)
        except Exception:
            if not caught:  # the canned answer need not parse, but there must have been a request
                raise
        return _to_bytes(caught[0])

    def replay(self, requests: list[bytes], count: int, clients: int = 1, **options: Any) -> Result:
        return replay(self.address, requests, count, clients, **options)

    def function(self, name: str, source: str, runtime: str = "python3.11", file: str = "index.py", **more: Any) -> str:
        """Create a function of 256 MB and wait until it is active; gives its ARN."""
        functions = self.boto("lambda")
        settings = {"Role": "arn:aws:iam::000000000000:role/bench", "Timeout": 30, "MemorySize": 256} | more
        made = functions.create_function(
            FunctionName=name,
            Runtime=runtime,
            Handler="index.handler",
            Code={"ZipFile": _zip(file, source)},
            **settings,
        )
        for _ in range(2_000):
            if made.get("State", "Active") == "Active":
                break
            time.sleep(0.002)
            made = functions.get_function_configuration(FunctionName=name)
        return str(made["FunctionArn"])

    def invoke_request(self, name: str, payload: dict[str, Any] | None = None, **more: Any) -> bytes:
        return self.build("lambda", "invoke", FunctionName=name, Payload=json.dumps(payload or {}).encode(), **more)

    def queue(self, name: str) -> str:
        """Create a queue; gives its address at our endpoint, whatever host the server names."""
        url = self.boto("sqs").create_queue(QueueName=name)["QueueUrl"]
        return self.endpoint + str(urlsplit(url).path)


def is_ok(answer: bytes) -> bool:
    """Whether a function of ours answered."""
    return b'"ok": true' in answer or b'"ok":true' in answer


OK: Check = is_ok


def _zip(file: str, source: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:
        info = zipfile.ZipInfo(file, (2026, 1, 1, 0, 0, 0))
        info.external_attr = 0o644 << 16
        package.writestr(info, source)
    return buffer.getvalue()


def _to_bytes(request: Any) -> bytes:
    address = urlsplit(request.url)
    body = request.body or b""
    if hasattr(body, "read"):
        body = body.read()
    if isinstance(body, str):
        body = body.encode()
    target = (address.path or "/") + (f"?{address.query}" if address.query else "")
    lines = [f"{request.method} {target} HTTP/1.1", f"Host: {address.netloc}"]
    for name, value in request.headers.items():
        if name.lower() not in ("expect", "content-length", "host", "user-agent"):
            lines.append(f"{name}: {value.decode() if isinstance(value, bytes) else value}")
    lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + bytes(body)
