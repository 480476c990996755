"""Container images: pushed as their tools push them, run in their own file system."""

import base64
import functools
import gzip
import hashlib
import http.client
import io
import json
import platform
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
LAMBDAS = {"amd64": "x86_64", "arm64": "arm64"}.get(ARCHITECTURE, ARCHITECTURE)
Answer = tuple[int, dict[str, str], bytes]


@functools.cache
def program() -> bytes:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler on the PATH")
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "program"
        source = Path(__file__).parent / "program.c"
        done = subprocess.run([compiler, "-static", "-o", target, source], capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"cc -static: {done.stderr}")
        return target.read_bytes()


def digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def layer(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.mode, info.size = 0o755, len(content)
            archive.addfile(info, io.BytesIO(content))
    return gzip.compress(out.getvalue(), mtime=0)


class Registry:
    """What `docker push` does, by hand."""

    def __init__(self, endpoint: str, account: str, headers: dict[str, str] | None = None) -> None:
        address = urlsplit(endpoint)
        self._address = (address.hostname or "", address.port or 80)
        self._headers = headers or {}
        self.host = f"{account}.dkr.ecr.us-east-1.localhost:{address.port}"

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
        connection = http.client.HTTPConnection(*self._address, timeout=60)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, {"Host": self.host, **self._headers, **sent})
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, content

    def upload(self, name: str, content: bytes) -> str:
        status, headers, _ = self.ask("POST", f"/v2/{name}/blobs/uploads/")
        assert status == 202
        status, headers, _ = self.ask("PATCH", headers["location"], content)
        assert status == 202
        status, _, said = self.ask("PUT", f"{headers['location']}?digest={digest(content)}")
        assert status == 201, said
        return digest(content)

    def push(self, name: str, tag: str, layers: list[bytes], **config: Any) -> str:
        document = json.dumps({"architecture": ARCHITECTURE, "os": "linux", "config": config}).encode()
        parts = [{"mediaType": LAYER, "digest": self.upload(name, content), "size": len(content)} for content in layers]
        whole = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": CONFIG, "digest": self.upload(name, document), "size": len(document)},
            "layers": parts,
        }
        status, headers, said = self.ask(
            "PUT", f"/v2/{name}/manifests/{tag}", json.dumps(whole).encode(), Content_Type=MANIFEST
        )
        assert status == 201, said
        return headers["docker-content-digest"]


@pytest.fixture
def registry(endpoint: str, account: str) -> Registry:
    return Registry(endpoint, account)


@pytest.fixture
def image(registry: Registry) -> str:
    """An image whose program tells what it sees; its URI."""
    below = layer({"app/program": program(), "data/layer.txt": b"below\n", "data/hidden": b""})
    above = layer({"data/layer.txt": b"above\n", "data/.wh.hidden": b""})
    config = {"Entrypoint": ["program"], "Cmd": ["usual"], "Env": ["PATH=/app", "IMAGE=yes"], "WorkingDir": "/data"}
    registry.push("team/told", "v1", [below, above], **config)
    return f"{registry.host}/team/told:v1"


@pytest.fixture
def create(functions: Any, role: str) -> Callable[..., Any]:
    def made(name: str, uri: str, **members: Any) -> Any:
        settings = {"Role": role, "PackageType": "Image", "Timeout": 60, "Architectures": [LAMBDAS]}
        answer = functions.create_function(FunctionName=name, Code={"ImageUri": uri}, **(settings | members))
        functions.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
        return answer

    return made


def result(functions: Any, name: str, event: Any = None) -> Any:
    answer = functions.invoke(FunctionName=name, Payload=json.dumps(event))
    document = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, document
    return document


def test_an_image_runs_in_its_own_file_system(functions: Any, create: Callable[..., Any], image: str) -> None:
    create("f", image, Environment={"Variables": {"OWN": "mine"}})
    assert result(functions, "f", {"a": [1]}) == {
        "event": {"a": [1]},
        "first": "usual",
        "data": "above",
        "folder": "/data",
        "image": "yes",
        "own": "mine",
        "path": "/app",
        "name": "f",
        "writes": False,
        "tmp": True,
        "hidden": True,
        "machine": False,
        "null": True,
    }


def test_image_config_overrides_the_image(functions: Any, create: Callable[..., Any], image: str) -> None:
    config = {"EntryPoint": ["/app/program"], "Command": ["own"], "WorkingDirectory": "/app"}
    answer = create("f", image, ImageConfig=config)
    assert answer["ImageConfigResponse"] == {"ImageConfig": config}
    told = result(functions, "f")
    assert (told["first"], told["folder"]) == ("own", "/app")
    functions.update_function_configuration(FunctionName="f", ImageConfig={"Command": ["again"]})
    functions.get_waiter("function_updated_v2").wait(FunctionName="f", WaiterConfig={"Delay": 1})
    told = result(functions, "f")
    assert (told["first"], told["folder"]) == ("again", "/data")


@pytest.mark.parametrize(
    ("entry_point", "reason"),
    [("/absent", "fork/exec /absent: no such file or directory"), ("absent", "executable file not found in $PATH")],
)
def test_a_program_that_is_missing_is_told(
    functions: Any, create: Callable[..., Any], image: str, entry_point: str, reason: str
) -> None:
    create("f", image, ImageConfig={"EntryPoint": [entry_point]})
    document = json.loads(functions.invoke(FunctionName="f")["Payload"].read())
    assert document["errorType"] == "Runtime.InvalidEntrypoint"
    assert reason in document["errorMessage"]


def test_a_function_says_which_image_it_is(functions: Any, create: Callable[..., Any], image: str) -> None:
    create("f", image)
    found = functions.get_function(FunctionName="f")
    code, configuration = found["Code"], found["Configuration"]
    assert (configuration["PackageType"], configuration["CodeSize"]) == ("Image", 0)
    assert not {"Runtime", "Handler", "RuntimeVersionConfig"} & set(configuration)
    assert code == {
        "RepositoryType": "ECR",
        "ImageUri": image,
        "ResolvedImageUri": f"{image.rpartition(':')[0]}@sha256:{configuration['CodeSha256']}",
    }


def test_a_tag_that_moves_changes_a_function_only_when_it_is_updated(
    functions: Any, create: Callable[..., Any], image: str, registry: Registry
) -> None:
    create("f", image, Publish=True)
    changed = layer({"app/program": program(), "data/layer.txt": b"changed\n"})
    registry.push("team/told", "v1", [changed], Entrypoint=["/app/program"], WorkingDir="/data")
    assert result(functions, "f")["data"] == "above"
    functions.update_function_code(FunctionName="f", ImageUri=image)
    functions.get_waiter("function_updated_v2").wait(FunctionName="f", WaiterConfig={"Delay": 1})
    assert result(functions, "f")["data"] == "changed"
    assert result(functions, "f:1")["data"] == "above"


def test_an_image_that_was_removed_with_its_function_serves_again(
    functions: Any, create: Callable[..., Any], node: Any, registry: Registry, account: str
) -> None:
    registry.push("one", "v1", [layer({"program": program(), "own": account.encode()})], Entrypoint=["/program"])
    image = f"{registry.host}/one:v1"
    create("f", image)
    assert result(functions, "f")["name"] == "f"
    unpacked = (
        node.data / "compute" / "images" / functions.get_function(FunctionName="f")["Configuration"]["CodeSha256"]
    )
    assert unpacked.exists()
    functions.delete_function(FunctionName="f")
    while unpacked.exists():
        time.sleep(0.05)
    create("g", image)
    assert result(functions, "g")["name"] == "g"


def test_where_permissions_are_enforced_only_the_accounts_root_pushes_and_pulls(
    start_node: Callable[..., Any],
) -> None:
    node = start_node("--iam", "enforce")
    account = "123456789012"
    status, headers, _ = Registry(node.endpoint, account).ask("GET", "/v2/")
    assert (status, headers["www-authenticate"]) == (401, f'Basic realm="{account}"')
    for user, expected in ((account, 200), ("999999999999", 403), ("AKIAUNKNOWN", 401)):
        key = base64.b64encode(f"{user}:secret".encode()).decode()
        assert Registry(node.endpoint, account, {"Authorization": f"Basic {key}"}).ask("GET", "/v2/")[0] == expected
    node.stop()


def test_an_image_that_cannot_be_unpacked_makes_the_function_failed(
    functions: Any, role: str, registry: Registry
) -> None:
    registry.push("bad", "latest", [gzip.compress(b"no archive" * 100)], Cmd=["/x"])
    settings = {"Role": role, "PackageType": "Image", "Architectures": [LAMBDAS]}
    functions.create_function(FunctionName="f", Code={"ImageUri": f"{registry.host}/bad"}, **settings)
    found = functions.get_function_configuration(FunctionName="f")
    while found["State"] == "Pending":
        found = functions.get_function_configuration(FunctionName="f")
    assert (found["State"], found["StateReasonCode"]) == ("Failed", "InvalidImage")
    assert "cannot be unpacked" in found["StateReason"]


def test_what_is_no_image_is_refused(
    functions: Any, create: Callable[..., Any], registry: Registry, image: str
) -> None:
    for uri, message in (
        (f"{registry.host}/absent:v1", "does not exist"),
        ("example.com/absent:v1", "is not valid"),
        (image.replace(registry.host[:12], "999999999999"), "does not have permission"),
    ):
        with pytest.raises(ClientError, match=message):
            create("f", uri)
    with pytest.raises(ClientError, match="PackageType is IMAGE"):
        create("f", image, Runtime="python3.12", Handler="a.b")
    other = "arm64" if LAMBDAS == "x86_64" else "x86_64"
    with pytest.raises(ClientError, match="is for"):
        create("f", image, Architectures=[other])


def test_a_zip_stays_a_zip_and_an_image_an_image(
    functions: Any, create: Callable[..., Any], make: Callable[..., Any], image: str
) -> None:
    create("image", image)
    make("zip")
    functions.get_waiter("function_active_v2").wait(FunctionName="zip", WaiterConfig={"Delay": 1})
    with pytest.raises(ClientError, match="Please provide ImageUri when updating a function with packageType Image"):
        functions.update_function_code(FunctionName="image", ZipFile=b"zip")
    with pytest.raises(
        ClientError, match="Please don't provide ImageUri when updating a function with packageType Zip"
    ):
        functions.update_function_code(FunctionName="zip", ImageUri=image)


def test_images_and_functions_outlive_a_restart(start_node: Callable[..., Any], tmp_path: Path) -> None:
    account = "123456789012"
    node = start_node()
    registry = Registry(node.endpoint, account)
    registry.push("kept", "v1", [layer({"program": program()})], Entrypoint=["/program"])
    functions = node.client("lambda", account)
    functions.create_function(
        FunctionName="f",
        Code={"ImageUri": f"{registry.host}/kept:v1"},
        Role=f"arn:aws:iam::{account}:role/r",
        PackageType="Image",
        Architectures=[LAMBDAS],
        Timeout=60,
    )
    functions.get_waiter("function_active_v2").wait(FunctionName="f", WaiterConfig={"Delay": 1})
    node.kill()
    shutil.rmtree(node.data / "compute" / "images")  # a copy, which is made again
    node.start()
    assert result(node.client("lambda", account), "f")["name"] == "f"
    assert Registry(node.endpoint, account).ask("GET", "/v2/kept/tags/list")[0] == 200
    node.stop()


class TestRegistry:
    """The wire of the distribution specification."""

    def test_what_was_pushed_is_pulled(self, registry: Registry) -> None:
        content = layer({"a": b"1"})
        pushed = registry.push("a/b", "v1", [content], Cmd=["/a"])
        status, headers, manifest = registry.ask("GET", "/v2/a/b/manifests/v1")
        assert (status, headers["content-type"], headers["docker-content-digest"]) == (200, MANIFEST, pushed)
        assert digest(manifest) == pushed
        assert registry.ask("GET", f"/v2/a/b/manifests/{pushed}")[2] == manifest
        status, headers, body = registry.ask("HEAD", f"/v2/a/b/blobs/{digest(content)}")
        assert (status, int(headers["content-length"]), body) == (200, len(content), b"")
        assert registry.ask("GET", f"/v2/a/b/blobs/{digest(content)}")[2] == content
        status, headers, part = registry.ask("GET", f"/v2/a/b/blobs/{digest(content)}", Range="bytes=2-5")
        assert (status, part) == (206, content[2:6])
        assert json.loads(registry.ask("GET", "/v2/a/b/tags/list")[2]) == {"name": "a/b", "tags": ["v1"]}

    def test_a_blob_comes_whole_in_chunks_or_from_another_repository(self, registry: Registry) -> None:
        content = b"0123456789"
        assert registry.ask("POST", f"/v2/one/blobs/uploads/?digest={digest(content)}", content)[0] == 201
        _, headers, _ = registry.ask("POST", "/v2/two/blobs/uploads/")
        place = headers["location"]
        assert registry.ask("PATCH", place, content[:4], Content_Range="0-3")[1]["range"] == "0-3"
        assert registry.ask("PATCH", place, content[4:], Content_Range="7-12")[0] == 416
        assert registry.ask("GET", place)[0] == 204
        assert registry.ask("PUT", f"{place}?digest={digest(content)}", content[4:])[0] == 201
        assert registry.ask("POST", f"/v2/three/blobs/uploads/?mount={digest(content)}&from=one")[0] == 201
        for name in ("one", "two", "three"):
            assert registry.ask("GET", f"/v2/{name}/blobs/{digest(content)}")[2] == content

    def test_content_that_is_not_what_it_was_said_to_be_is_refused(self, registry: Registry) -> None:
        _, headers, _ = registry.ask("POST", "/v2/a/blobs/uploads/")
        status, _, said = registry.ask("PUT", f"{headers['location']}?digest={digest(b'other')}", b"this")
        assert (status, json.loads(said)["errors"][0]["code"]) == (400, "DIGEST_INVALID")
        assert registry.ask("GET", headers["location"])[0] == 404

    def test_manifests_need_their_parts(self, registry: Registry) -> None:
        part = {"mediaType": CONFIG, "digest": digest(b"absent"), "size": 6}
        whole = json.dumps({"schemaVersion": 2, "config": part, "layers": []}).encode()
        status, _, said = registry.ask("PUT", "/v2/a/manifests/v1", whole, Content_Type=MANIFEST)
        assert (status, json.loads(said)["errors"][0]["code"]) == (404, "MANIFEST_BLOB_UNKNOWN")

    @pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"config": 1}', b'{"layers": [{}]}', b'{"manifests": 3}'])
    def test_manifests_that_are_none_are_refused(self, registry: Registry, content: bytes) -> None:
        status, _, said = registry.ask("PUT", "/v2/a/manifests/v1", content, Content_Type=MANIFEST)
        assert (status, json.loads(said)["errors"][0]["code"]) == (400, "MANIFEST_INVALID")

    @pytest.mark.parametrize(
        "path", ["/v2/UPPER/tags/list", "/v2/a/../b/tags/list", "/v2/a/blobs/sha256:1", "/v3/", "/"]
    )
    def test_other_paths_are_refused(self, registry: Registry, path: str) -> None:
        assert registry.ask("GET", path)[0] == 405

    def test_accounts_do_not_see_each_others_images(self, endpoint: str, registry: Registry) -> None:
        registry.push("a", "v1", [], Cmd=["/a"])
        assert Registry(endpoint, "000000000001").ask("GET", "/v2/a/manifests/v1")[0] == 404
