"""What is deleted from the registry, and the blobs that go with it."""

import json
from typing import Any

import pytest
from tests.services.lambda_.images.test_images import Registry, layer
from tests.services.lambda_.sources.conftest import until


@pytest.fixture
def registry(endpoint: str, account: str) -> Registry:
    return Registry(endpoint, account)


def parts(registry: Registry, name: str, wanted: str) -> list[str]:
    document: Any = json.loads(registry.ask("GET", f"/v2/{name}/manifests/{wanted}")[2])
    return [document["config"]["digest"], *(part["digest"] for part in document["layers"])]


def there(registry: Registry, name: str, digest: str) -> bool:
    return registry.ask("GET", f"/v2/{name}/blobs/{digest}")[0] == 200


def test_a_tag_goes_alone_and_a_manifest_with_its_blobs(registry: Registry) -> None:
    shared, own = layer({"shared": b"1"}), layer({"own": b"2"})
    kept = registry.push("team/one", "kept", [shared])
    gone = registry.push("team/one", "gone", [shared, own], Cmd=["x"])
    config, common, alone = parts(registry, "team/one", gone)
    assert registry.ask("DELETE", "/v2/team/one/manifests/gone")[0] == 202
    assert registry.ask("GET", "/v2/team/one/manifests/gone")[0] == 404
    assert registry.ask("GET", f"/v2/team/one/manifests/{gone}")[0] == 200
    assert registry.ask("DELETE", f"/v2/team/one/manifests/{gone}")[0] == 202
    status, _, said = registry.ask("DELETE", f"/v2/team/one/manifests/{gone}")
    assert (status, json.loads(said)["errors"][0]["code"]) == (404, "MANIFEST_UNKNOWN")
    until(lambda: not there(registry, "team/one", alone) and not there(registry, "team/one", config))
    assert there(registry, "team/one", common)
    assert parts(registry, "team/one", kept)[1] == common


def test_a_manifest_takes_its_tags_along(registry: Registry) -> None:
    digest = registry.push("team/two", "a", [layer({"f": b"3"})])
    manifest = registry.ask("GET", f"/v2/team/two/manifests/{digest}")
    registry.ask("PUT", "/v2/team/two/manifests/b", manifest[2], Content_Type=manifest[1]["content-type"])
    assert registry.ask("DELETE", f"/v2/team/two/manifests/{digest}")[0] == 202
    assert registry.ask("GET", "/v2/team/two/tags/list")[0] == 404


def test_blobs_of_another_repository_stay(registry: Registry) -> None:
    digest = registry.push("team/three", "a", [layer({"f": b"4"})])
    config, content = parts(registry, "team/three", digest)
    assert registry.ask("POST", f"/v2/team/four/blobs/uploads/?mount={content}&from=team/three")[0] == 201
    registry.ask("DELETE", f"/v2/team/three/manifests/{digest}")
    until(lambda: not there(registry, "team/three", content) and not there(registry, "team/three", config))
    assert there(registry, "team/four", content)


def test_what_somebody_is_pushing_stays(registry: Registry) -> None:
    first = registry.push("team/five", "a", [layer({"f": b"5"})])
    config, content = parts(registry, "team/five", first)
    assert registry.ask("HEAD", f"/v2/team/five/blobs/{content}")[0] == 200
    registry.ask("DELETE", f"/v2/team/five/manifests/{first}")
    until(lambda: not there(registry, "team/five", config))
    assert there(registry, "team/five", content)


def test_a_blob_by_itself(registry: Registry) -> None:
    digest = registry.push("team/six", "a", [layer({"f": b"6"})])
    content = parts(registry, "team/six", digest)[1]
    assert registry.ask("DELETE", f"/v2/team/six/blobs/{content}")[0] == 405
    loose = registry.upload("team/six", b"loose")
    assert registry.ask("DELETE", f"/v2/team/six/blobs/{loose}")[0] == 202
    assert registry.ask("DELETE", f"/v2/team/six/blobs/{loose}")[0] == 404
