"""Every operation of every model in every protocol, with botocore on the other side."""

import asyncio
import importlib
import io
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

import pytest
from botocore.model import OperationModel
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.wire.oracle import Values, content_of, module_name, parse, same, serialize, service_model, struct_of

from cumulet.kernel.streams import read_all
from cumulet.wire import route
from cumulet.wire.services import ServiceWire, load, names

CASES = [(service, protocol) for service in names() for protocol in load(service).protocols]
# Operations of S3 whose address is another's as well: its newer form answers both.
SHADOWED = {
    "GetBucketLifecycle",
    "GetBucketNotification",
    "ListDirectoryBuckets",
    "PutBucketLifecycle",
    "PutBucketNotification",
    "WriteGetObjectResponse",
}
# Services whose tags are at an address of Lambda's own: the kind of the resource tells which is meant.
TAGGED = {"lambda-microvms": "arn:aws:lambda:us-east-1:123456789012:microvm-image:image-1"}
Unvalidated = Callable[[ServiceWire, str, str], Any]
EXAMPLES = settings(
    derandomize=True, database=None, deadline=None, max_examples=3, suppress_health_check=list(HealthCheck)
)


@pytest.fixture
def unvalidated(monkeypatch: pytest.MonkeyPatch) -> Unvalidated:
    """Gives a codec that takes any values: these tests are about their form."""

    class Free:
        def __call__(self, *_: Any, **__: Any) -> None:
            return None

        payload = __call__

    def free(wire: ServiceWire, name: str, protocol: str) -> Any:
        codec = wire.codec(name, protocol)
        # It stands in for the validation, which has tests of its own.
        monkeypatch.setattr(codec, "check", Free())
        return codec

    return free


def operations(service: str, protocol: str = "") -> list[OperationModel]:
    model = service_model(service, protocol)
    return [model.operation_model(name) for name in model.operation_names if name not in SHADOWED]


def for_random_values(check: Callable[[Random], None]) -> None:
    """Run a check for a few random values; a failure is shrunk and shown."""

    def body(random: Random) -> None:
        check(random)

    EXAMPLES(given(st.randoms(use_true_random=False))(body))()


@pytest.mark.parametrize(("service", "protocol"), CASES, ids=str)
def test_requests(service: str, protocol: str, unvalidated: Unvalidated) -> None:
    wire = load(service)
    for operation in operations(service, protocol):
        codec = unvalidated(wire, operation.name, protocol)
        for_random_values(partial(check_request, wire, protocol, operation, codec))


def check_request(wire: ServiceWire, protocol: str, operation: OperationModel, codec: Any, random: Random) -> None:
    shape = operation.input_shape
    params = Values(random).structure(shape) if shape else {}
    if "Resource" in params and wire.service in TAGGED:
        params["Resource"] = TAGGED[wire.service]
    request = serialize(operation, protocol, params, wire.signing_name)
    found = route.resolve(request)
    assert (found.service, found.operation) == (wire.service, operation.name), (request, found)
    assert found.codec is codec
    got = found.decode(request)
    if shape is None:
        assert not got.__struct_fields__
        return
    wanted = struct_of(module_name(wire.service), shape, params)
    fix_streams(got, wanted)
    differing = [name for name in got.__struct_fields__ if not same(getattr(got, name), getattr(wanted, name))]
    assert not differing, f"{operation.name} {differing}\n{request}\n{got}\n{wanted}"


def fix_streams(got: Any, wanted: Any) -> None:
    """Read what the decoder left a stream; a payload of bytes that was not sent is empty bytes."""
    for name in got.__struct_fields__:
        held = getattr(got, name)
        if hasattr(held, "__aiter__"):
            held = asyncio.run(read_all(held))
            setattr(got, name, held)
        if held == b"" and getattr(wanted, name) is None:
            setattr(got, name, None)
        if held == "" and getattr(wanted, name) is None:
            setattr(got, name, None)


@pytest.mark.parametrize(("service", "protocol"), CASES, ids=str)
def test_answers(service: str, protocol: str) -> None:
    wire = load(service)
    for operation in operations(service, protocol):
        # botocore parses the two exceptions elsewhere: they have tests of their own.
        if not operation.has_event_stream_output and operation.name != "GetBucketLocation":
            for_random_values(partial(check_answer, wire, protocol, operation))


def check_answer(wire: ServiceWire, protocol: str, operation: OperationModel, random: Random) -> None:
    shape = operation.output_shape
    params = Values(random).structure(shape) if shape else {}
    for name, member in shape.members.items() if shape else ():
        if member.serialization.get("location") == "statusCode" and name in params:
            params[name] = random.choice((200, 202, 204))  # others are errors to botocore
    result = struct_of(module_name(wire.service), shape, params) if shape else None
    answer = wire.codec(operation.name, protocol).encode(result, "request-1")
    body = asyncio.run(content_of(answer.body))
    parsed = parse(operation, protocol, answer.status, answer.headers, body)
    about = parsed.pop("ResponseMetadata")
    assert about.get("RequestId", "request-1") == "request-1"
    if shape is not None:
        compare_answer(operation, params, parsed, body)


def compare_answer(operation: OperationModel, params: dict[str, Any], parsed: dict[str, Any], body: bytes) -> None:
    assert operation.output_shape is not None
    for name, member in operation.output_shape.members.items():
        wanted, got = params.get(name), parsed.get(name)
        if isinstance(got, io.BytesIO):
            got = got.read()
        if member.serialization.get("location") == "statusCode":
            continue
        # An absent list, map or text and an empty one look alike to one or the other side in these places.
        if wanted in (None, [], {}, b"", "") and got in (None, [], {}, b"", ""):
            continue
        if name == "ContentLength" and wanted is None:
            continue
        assert same(got, wanted), f"\n{operation.name}.{name}\n{body!r}\n{got!r}\n{wanted!r}"


@pytest.mark.parametrize(("service", "protocol"), CASES, ids=str)
def test_errors(service: str, protocol: str) -> None:
    wire = load(service)
    api = importlib.import_module(f"cumulet.api.{module_name(service)}")
    operation = operations(service)[0]
    for name, shape in wire.context.errors.items():
        assert shape.error is not None
        error = error_class(api, wire, name)("It failed.")
        answer = wire.errors(protocol).encode_error(error, "request-1")
        assert answer.status == shape.error.status
        assert isinstance(answer.body, bytes)
        parsed = parse(operation, protocol, max(answer.status, 301), answer.headers, answer.body)
        compatible = wire.model.metadata.query_compatible
        code = error.query_code or error.code if compatible else error.code
        assert parsed["Error"]["Code"] == code, answer
        assert parsed["Error"]["Message"] == "It failed.", answer
        assert parsed["ResponseMetadata"]["RequestId"] == "request-1"
        if compatible and protocol == "json":
            assert parsed["Error"]["QueryErrorCode"] == error.code


def error_class(api: Any, wire: ServiceWire, code: str) -> Any:
    """The class of the error with a code."""
    for name in dir(api):
        found = getattr(api, name)
        if getattr(found, "code", None) == code:
            return found
    raise AssertionError(code)
