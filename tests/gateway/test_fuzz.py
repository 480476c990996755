"""Requests that make little sense, for every operation: an error of AWS's or an answer, never a failure of ours.

Longer: `FUZZ_ROUNDS=50 pytest tests/gateway/test_fuzz.py`, each round with other values.
"""

import datetime as dt
import http.client
import os
import re
from collections.abc import Iterator
from random import Random
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ParamValidationError
from botocore.model import ListShape, OperationModel, Shape, StructureShape
from tests.wire.oracle import Values, serialize, service_model

from cumulet.wire.http import HttpRequest

ROUNDS = int(os.environ.get("FUZZ_ROUNDS", "2"))
SERVICES = [
    *("s3", "lambda", "sqs", "logs", "iam", "sts"),
    *("apigateway", "apigatewaymanagementapi", "apigatewayv2", "cloudformation", "cloudwatch", "cognito-idp"),
    *("dynamodb", "dynamodbstreams", "events", "firehose", "kinesis", "pipes", "scheduler", "secretsmanager", "sns"),
    *("ssm", "stepfunctions", "xray"),
]
PROTOCOLS = {"sqs": ["json", "query"], "cloudwatch": ["smithy-rpc-v2-cbor", "json", "query"]}
SCOPES = {
    "apigatewaymanagementapi": "execute-api",
    "apigatewayv2": "apigateway",
    "cloudwatch": "monitoring",
    "dynamodbstreams": "dynamodb",
    "stepfunctions": "states",
}
DEEP = "[" * 5_000
TEXTS = [
    *(
        "",
        " ",
        "\0",
        "\x1b",
        "é🙂",
        "\ufffe",
        "-1",
        "NaN",
        "1e999",
        "9" * 400,
        "null",
        "../..",
        "//",
        "%00",
        "%zz",
        "*",
    ),
    *("{}", "[]", "{", "<a>", "]]>", "&#0;", "a" * 300, "a\r\nb: c", "====", "arn:aws:s3:::", "arn:aws:iam::1:role/"),
    *("bytes=-1", "bytes=0-" + "9" * 5_000, "9999-12-31T23:59:59Z", "00000-01-01T00:00:00Z", DEEP, '{"a":' * 5_000),
    '{"Statement":[{"Effect":[],"Principal":{"AWS":[{}]},"Action":1,"Resource":null,"Condition":[]}]}',
    '{"Statement":{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*","Condition":{"ArnLike":[1]}}}',
    '{ $.a = "*a*a*b" && ' + "(" * 400,
]
NUMBERS = [-1, 0, 1, 10, 1_000, 2**31 - 1, 2**31, -(2**63), 2**63, 10**30]
BLOBS = [b"", b"\0", b"\xff", b"{", b'"\xff"', DEEP.encode(), b"PK\3\4", b"PK\5\6" + bytes(18)]
PARTS = [b"\xff", b"\xed\xa0\x80", b"\\ud800", b'"', b"{", b"]", b"<", b"&", b"&#0;", b"%", b"-", b"1e999", b",", b"\0"]
HEADERS = [
    ("authorization", "AWS4-HMAC-SHA256 Credential=////, SignedHeaders=, Signature="),
    ("authorization", "AWS4-HMAC-SHA256 Credential=a/b/c/d/e"),
    ("authorization", "AWS a:b"),
    ("content-type", "multipart/form-data; boundary="),
    ("content-type", "application/x-amz-json-9"),
    ("content-md5", "é"),
    ("content-encoding", "aws-chunked"),
    ("host", ".s3.localhost"),
    ("host", "a.s3-website.localhost"),
    ("range", "bytes=0-" + "9" * 5_000),
    ("x-amz-copy-source", "%zz?versionId="),
    ("x-amz-date", "99999999T999999Z"),
    ("x-amz-security-token", "é"),
    ("x-amz-target", "é"),
    ("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"),
]
QUERIES = [
    *("&&=&", "a=%ff%", "acl&acl", "uploadId=x&partNumber=-1", "max-keys=x", "list-type=2&continuation-token=%ff"),
    *(
        "X-Amz-Credential=%ff/////&X-Amz-Expires=NaN",
        "AWSAccessKeyId=&Signature=&Expires=-1",
        "Action=%00",
        "Marker=eA",
    ),
]
PATHS = ["//", "/%00", "/a/%ff", "/a/../..", "/a/%2e%2e/", "*", "/2015-03-31/functions/%2F/invocations", "/service//x"]


class OddValues(Values):
    """Values of shapes of which some have the right type and nothing else."""

    def structure(self, shape: StructureShape, depth: int = 0) -> dict[str, Any]:
        needed = set(shape.required_members)
        return {
            name: self.value(member, depth + 1)
            for name, member in shape.members.items()
            if (name in needed or self.random.random() < 0.3) and (depth < 5 or not isinstance(member, ListShape))
        }

    def scalar(self, shape: Shape, location: str | None) -> Any:
        if self.random.random() < 0.5 or shape.type_name in ("timestamp", "boolean"):
            return super().scalar(shape, location)
        if shape.type_name in ("integer", "long", "double", "float"):
            return self.random.choice(NUMBERS)
        return self.random.choice(BLOBS if shape.type_name == "blob" else TEXTS)


def operations(service: str, protocol: str) -> list[OperationModel]:
    model = service_model(service, protocol)
    return [model.operation_model(name) for name in model.operation_names]


def written(request: HttpRequest, account: str) -> tuple[str, str, dict[str, str], bytes]:
    """Method, target, headers and body, signed well enough for a development key."""
    now = f"{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%SZ}"
    scope = f"{account}/{now[:8]}/us-east-1/{request.headers['authorization'].split('/')[3]}/aws4_request"
    headers = {name: text.replace("\r", "").replace("\n", "") for name, text in request.headers.items()}
    headers |= {"x-amz-date": now, "x-amz-content-sha256": "UNSIGNED-PAYLOAD"}
    names = ";".join(sorted({"host", *(name for name in headers if name.startswith("x-amz-"))}))
    headers["authorization"] = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders={names}, Signature={'0' * 64}"
    return request.method, request.path + ("?" + request.query if request.query else ""), headers, request.content


def damaged(random: Random, content: bytes) -> bytes:
    """A body with a few bytes put in, taken out, or a value of another type."""
    made = bytearray(content)
    for _ in range(random.randint(1, 3)):
        at = random.randint(0, len(made))
        way = random.randrange(4)
        if way == 0:
            made[at:at] = random.choice(PARTS)
        elif way == 1:
            del made[at : at + random.randint(1, 20)]
        elif way == 2:
            made[at:at] = random.choice([b"[", b"<a>", b"\x81", b'{"a":']) * 5_000
        elif values := list(re.finditer(rb'"[^"]*"|\b\d+\b|>[^<]*<', bytes(made))):
            found = random.choice(values)
            made[found.start() + 1 : found.end() - 1] = random.choice(PARTS)
    return bytes(made)


def distorted(random: Random, sent: tuple[str, str, dict[str, str], bytes]) -> tuple[str, str, dict[str, str], bytes]:
    """One of the request's parts made odd; a third stay as they are."""
    method, target, headers, body = sent
    way = random.randrange(9)
    if way <= 2 and body:
        body = damaged(random, body)
    elif way == 3:
        headers = headers | dict([random.choice(HEADERS)])
    elif way == 4:
        target = f"{target.partition('?')[0]}?{random.choice(QUERIES)}"
    elif way == 5 and random.random() < 0.3:
        target = random.choice(PATHS)
        method = random.choice(["GET", "PUT", "POST", "DELETE", "HEAD", "PATCH"])
    return method, target, headers, body


class Asker:
    """Sends raw requests on a kept connection."""

    def __init__(self, endpoint: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(endpoint).netloc, timeout=60)

    def ask(self, method: str, target: str, headers: dict[str, str], body: bytes) -> int:
        """The status of the answer. Raises TimeoutError for a request that hangs."""
        sent = {**headers, "host": headers.get("host", "localhost"), "content-length": str(len(body))}
        safe = re.sub(r"[^!-~]", lambda found: f"%{ord(found[0]) & 255:02X}", target)
        lines = [f"{method} {safe} HTTP/1.1", *(f"{name}: {text}" for name, text in sent.items())]
        if self._connection.sock is None:
            self._connection.connect()
        self._connection.sock.sendall("\r\n".join(lines).encode("utf-8", "replace") + b"\r\n\r\n" + body)
        answer = http.client.HTTPResponse(self._connection.sock, method=method)
        answer.begin()
        answer.read()
        if answer.will_close:
            self.close()
        return answer.status

    def close(self) -> None:
        self._connection.close()


@pytest.fixture
def asker(endpoint: str) -> Iterator[Asker]:
    asker = Asker(endpoint)
    yield asker
    asker.close()


@pytest.mark.parametrize("service", SERVICES)
def test_every_operation(service: str, asker: Asker, account: str) -> None:
    for protocol in PROTOCOLS.get(service, [service_model(service).metadata["protocol"]]):
        for operation in operations(service, protocol):
            for round_ in range(ROUNDS):
                random = Random(f"{service} {protocol} {operation.name} {round_}")
                check(asker, account, operation, protocol, random)


def check(asker: Asker, account: str, operation: OperationModel, protocol: str, random: Random) -> None:
    shape = operation.input_shape
    params = OddValues(random).structure(shape) if shape is not None else {}
    service = operation.service_model.service_name
    try:
        request = serialize(operation, protocol, params, SCOPES.get(service, service))
    except (ValueError, TypeError, OverflowError, ParamValidationError):  # botocore cannot write such a value
        return
    sent = distorted(random, written(request, account))
    status = asker.ask(*sent)
    assert status < 500 or status in (501, 503), (operation.name, sent)
