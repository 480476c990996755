"""Web functions that name a network connector."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.services.lambda_.web.conftest import PYTHON, WebFunctions

FILES = {"app.py": "pass"}


def test_a_connector_must_be_there_and_for_web_functions(web: WebFunctions, client: Callable[..., Any]) -> None:
    core = client("lambda-core")

    def connector(name: str, kind: str) -> str:
        egress = {"SubnetIds": ["subnet-1"], "AssociatedComputeResourceTypes": [kind]}
        arn: str = core.create_network_connector(Name=name, Configuration={"VpcEgressConfiguration": egress})[
            "VersionArn"
        ]
        return arn

    def create(name: str, arn: str) -> Any:
        return web.api.create_web_function(
            functionName=name, revisionConfig=web.config(FILES, PYTHON, egressNetworkConnectorArn=arn)
        )

    good, other = connector("good", "WebFunction"), connector("other", "MicroVm")
    create("named", good)
    (revision,) = web.api.list_web_function_revisions(functionName="named")["revisions"]
    found = web.api.get_web_function_revision(functionName="named", revisionId=revision["revisionId"])
    assert found["serviceConfig"]["egressNetworkConnectorArn"] == good
    for arn in (other, good.replace(":good", ":nowhere"), good.replace(":1", ":2")):
        with pytest.raises(ClientError, match="network connector"):
            create("refused", arn)
    core.delete_network_connector(Identifier="good")
    with pytest.raises(ClientError, match="does not exist"):
        create("refused", good)
