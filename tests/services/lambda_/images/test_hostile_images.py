"""Images and uploads by whoever means harm: refused in the registry's or AWS's words, and nobody else notices."""

import http.client
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError
from tests.services.lambda_.images.test_images import LAMBDAS, MANIFEST, Registry, digest, program
from tests.services.lambda_.images.test_images import layer as packed

NOTHING = digest(b"{}")


@pytest.fixture
def registry(endpoint: str, account: str) -> Registry:
    made = Registry(endpoint, account)
    made.upload("a", b"{}")
    return made


@pytest.fixture
def settings(role: str) -> dict[str, Any]:
    return {"FunctionName": "f", "Role": role, "PackageType": "Image", "Timeout": 60, "Architectures": [LAMBDAS]}


@pytest.mark.parametrize("asked", [f"bytes={'9' * 5000}-", f"bytes=0-{'9' * 5000}"])
def test_numbers_of_any_length_are_no_ranges(registry: Registry, asked: str) -> None:
    assert registry.ask("GET", f"/v2/a/blobs/{NOTHING}", Range=asked)[::2] == (200, b"{}")
    place = registry.ask("POST", "/v2/a/blobs/uploads/")[1]["location"]
    assert registry.ask("PATCH", place, b"x", Content_Range=f"{'9' * 5000}-1")[0] == 202


@pytest.mark.parametrize(
    "content",
    [
        b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        json.dumps({"manifests": [], "mediaType": "a/b\r\nX: y"}).encode(),
    ],
    ids=["deep", "a header in its media type"],
)
def test_manifests_that_would_harm_are_refused(registry: Registry, content: bytes) -> None:
    assert registry.ask("PUT", "/v2/a/manifests/v1", content)[0] == 400


@pytest.mark.parametrize(
    "document",
    [
        {"config": {"digest": NOTHING}, "layers": [{"digest": NOTHING}]},
        {"manifests": [], "layers": 5},
        {"manifests": []},
        {"manifests": [{"digest": NOTHING}], "layers": "ab"},
        {"config": {"digest": NOTHING}, "layers": [{"digest": NOTHING, "mediaType": 5}]},
    ],
    ids=["no media types", "layers that are none", "an index", "layers that are text", "types that are none"],
)
def test_documents_that_are_no_images_are_refused(
    functions: Any, registry: Registry, settings: dict[str, Any], document: object
) -> None:
    sent = json.dumps(document).encode()
    assert registry.ask("PUT", "/v2/a/manifests/v1", sent, Content_Type=MANIFEST)[0] == 201
    with pytest.raises(ClientError, match=r"media type for the source image .* is not supported"):
        functions.create_function(**settings, Code={"ImageUri": f"{registry.host}/a:v1"})


@pytest.mark.parametrize("machine", [["x"], {"a": 1}])
def test_machines_that_are_no_names_are_refused(
    functions: Any, registry: Registry, settings: dict[str, Any], machine: object
) -> None:
    config = registry.upload("a", json.dumps({"architecture": machine}).encode())
    sent = json.dumps({"config": {"digest": config}, "layers": []}).encode()
    assert registry.ask("PUT", "/v2/a/manifests/v1", sent, Content_Type=MANIFEST)[0] == 201
    with pytest.raises(ClientError, match=r"is for .*, the function for"):
        functions.create_function(**settings, Code={"ImageUri": f"{registry.host}/a:v1"})


@pytest.mark.parametrize("size", [70_000, 3_000_000])
def test_images_whose_variables_fit_in_no_message_end_nobody_else(
    functions: Any, make: Callable[..., Any], registry: Registry, settings: dict[str, Any], size: int
) -> None:
    make("neighbour", "import os\ndef handler(event, context):\n    return os.environ['AWS_LAMBDA_LOG_STREAM_NAME']\n")
    functions.get_waiter("function_active_v2").wait(FunctionName="neighbour")
    before = functions.invoke(FunctionName="neighbour")["Payload"].read()
    layers = [packed({"program": program()})]
    registry.push("a", "v1", layers, Entrypoint=["/program"], Env=[f"A={'x' * size}"])
    functions.create_function(**settings, Code={"ImageUri": f"{registry.host}/a:v1"})
    functions.get_waiter("function_active_v2").wait(FunctionName="f", WaiterConfig={"Delay": 1})
    with pytest.raises(ClientError, match="command and variables are larger"):
        functions.invoke(FunctionName="f")
    assert functions.invoke(FunctionName="neighbour")["Payload"].read() == before


def test_nothing_is_added_to_a_blob_that_was_checked(endpoint: str, registry: Registry) -> None:
    place = registry.ask("POST", "/v2/a/blobs/uploads/")[1]["location"]
    there = urlsplit(endpoint)
    slow = http.client.HTTPConnection(there.hostname or "", there.port, timeout=60)
    slow.putrequest("PATCH", place, skip_host=True)
    slow.putheader("Host", registry.host)
    slow.putheader("Transfer-Encoding", "chunked")
    slow.endheaders(b"5\r\nhello\r\n")
    while registry.ask("GET", place)[1]["range"] != "0-4":
        pass
    assert registry.ask("PUT", f"{place}?digest={digest(b'hello')}")[0] == 201
    slow.send(b"5\r\nworld\r\n0\r\n\r\n")
    assert slow.getresponse().status == 404
    slow.close()
    assert registry.ask("GET", f"/v2/a/blobs/{digest(b'hello')}")[2] == b"hello"
