"""`cumulet urls` and `cumulet curl`, as a user meets them."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

CLEAN = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CUMULET_"))}


@pytest.fixture
def run(node: Any) -> Callable[..., str]:
    """The output of a command about the session's node."""

    def command(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "cumulet", *arguments],
            check=False,
            capture_output=True,
            text=True,
            timeout=100,
            env=CLEAN | {"CUMULET_DATA": str(node.data)},
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return command


@pytest.fixture
def api(client: Callable[..., Any]) -> str:
    """The id of a REST API that answers in the stage dev."""
    gateway = client("apigateway")
    made = gateway.create_rest_api(name="pets")
    at = {"restApiId": made["id"], "resourceId": made["rootResourceId"], "httpMethod": "POST"}
    gateway.put_method(**at, authorizationType="NONE")
    gateway.put_method_response(**at, statusCode="200")
    gateway.put_integration(**at, type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'})
    answer = '{"q": "$input.params("q")", "host": "$context.domainName"}'
    gateway.put_integration_response(**at, statusCode="200", responseTemplates={"application/json": answer})
    gateway.create_deployment(restApiId=made["id"], stageName="dev")
    return str(made["id"])


def test_addresses(run: Callable[..., str], api: str, account: str, endpoint: str) -> None:
    found = json.loads(run("urls", "--account", account, "--json"))
    port = endpoint.rpartition(":")[2]
    assert found == [
        {
            "kind": "REST",
            "name": "pets",
            "url": f"http://{api}.execute-api.us-east-1.localhost:{port}/dev",
            "path_url": f"{endpoint}/_aws/execute-api/{api}/dev",
        }
    ]
    assert found[0]["url"] in run("urls", "--account", account)
    assert run("urls", "--account", account, "--region", "eu-west-1") == ""


def test_web_functions(run: Callable[..., str], client: Callable[..., Any], account: str, endpoint: str) -> None:
    web = client("lambda-web")
    web.create_web_function(
        functionName="site",
        endpointConfig={"endpointName": "live", "endpointType": "HomeRegion", "authType": "ApplicationManaged"},
    )
    (found,) = json.loads(run("urls", "--account", account, "--json"))
    assert (found["kind"], found["name"]) == ("WEB", "site/live")
    assert found["url"].endswith(f".lambda-web.us-east-1.localhost:{endpoint.rpartition(':')[2]}/")


def test_portals_that_are_published(
    run: Callable[..., str], client: Callable[..., Any], account: str, endpoint: str
) -> None:
    v2 = client("apigatewayv2")
    names = ("Accent", "Background", "ErrorValidation", "Header", "Navigation", "Text")
    made = v2.create_portal(
        Authorization={"None": {}},
        EndpointConfiguration={"None": {}},
        PortalContent={
            "DisplayName": "Pet shop",
            "Theme": {"CustomColors": {f"{name}Color": "#000000" for name in names}},
        },
    )["PortalId"]
    assert json.loads(run("urls", "--account", account, "--json")) == []
    v2.publish_portal(PortalId=made)
    found = json.loads(run("urls", "--account", account, "--json"))
    port = endpoint.rpartition(":")[2]
    assert found == [
        {
            "kind": "PORTAL",
            "name": "Pet shop",
            "url": f"http://p-{made}.apigw-portal.us-east-1.localhost:{port}/",
            "path_url": f"{endpoint}/_aws/portals/{made}/",
        }
    ]


def test_an_address_of_aws(run: Callable[..., str], api: str) -> None:
    if shutil.which("curl") is None:
        pytest.skip("no curl on this machine")
    host = f"{api}.execute-api.us-east-1.amazonaws.com"
    said = run("curl", f"https://{host}/dev?q=1%202", "-X", "POST", "-H", "Content-Type: application/json")
    assert json.loads(said) == {"q": "1 2", "host": host}
    said = run("curl", "-X", "POST", "-H", "Content-Type: application/json", f"https://{host}/dev?q=2")
    assert json.loads(said) == {"q": "2", "host": host}
