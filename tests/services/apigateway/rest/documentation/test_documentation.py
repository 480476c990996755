"""Documentation parts and versions."""

import json
from collections.abc import Callable
from typing import Any

Refuse = Callable[..., tuple[str, str]]


def test_documentation_versions_keep_their_parts(gateway: Any, rest_api: Any, refused: Refuse) -> None:
    id = rest_api["id"]
    part = {"location": {"type": "API"}, "properties": json.dumps({"description": "pets"})}
    made = gateway.create_documentation_part(restApiId=id, **part)
    assert refused(gateway.create_documentation_part, restApiId=id, **part)[0] == "ConflictException"
    wrong = {"location": {"type": "RESOURCE", "path": "/"}, "properties": "no json"}
    assert refused(gateway.create_documentation_part, restApiId=id, **wrong)[0] == "BadRequestException"
    gateway.create_documentation_version(restApiId=id, documentationVersion="1")
    gateway.delete_documentation_part(restApiId=id, documentationPartId=made["id"])
    assert [each["version"] for each in gateway.get_documentation_versions(restApiId=id)["items"]] == ["1"]
    open_places = gateway.get_documentation_parts(restApiId=id, locationStatus="UNDOCUMENTED")["items"]
    assert {"type": "API"} in [each["location"] for each in open_places]
