"""Web functions, revisions and endpoints as the API shows them."""

from typing import Any

import pytest
from botocore.exceptions import ClientError, WaiterError
from tests.services.lambda_.web.conftest import PYTHON, WebFunctions

SERVER = """
import http.server, os

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = os.environ.get("SAYS", "nothing").encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *parts):
        pass

http.server.ThreadingHTTPServer(("0.0.0.0", 3000), Handler).serve_forever()
"""
FILES = {"main.py": SERVER}


def revise(web: WebFunctions, name: str, **variables: str) -> str:
    """A further revision, ready; its id."""
    config = web.config(FILES, PYTHON, environmentVariables=variables)
    made = web.api.create_web_function_revision(functionName=name, **config)
    wait = web.api.get_waiter("web_function_revision_active")
    wait.wait(functionName=name, revisionId=made["revisionId"], WaiterConfig={"Delay": 0.05, "MaxAttempts": 1200})
    return str(made["revisionId"])


def refused(code: str) -> Any:
    return pytest.raises(ClientError, match=code)


def test_a_function_and_what_it_has(web: WebFunctions, account: str) -> None:
    created = web.api.create_web_function(
        functionName="shop", revisionConfig=web.config(FILES, PYTHON), tags={"team": "a"}
    )
    arn = f"arn:aws:lambda:us-east-1:{account}:web-function/shop"
    assert (created["functionArn"], created["state"], created["tags"]) == (arn, "Active", {"team": "a"})
    revision = created["revision"]
    assert revision["revisionArn"] == f"{arn}/revision/{revision['revisionId']}"
    shown = web.api.get_web_function_revision(functionName=arn, revisionId=revision["revisionArn"])
    service = shown["serviceConfig"]
    assert (service["timeoutSeconds"], service["maxConcurrencyPerEnvironment"]) == (30, 64)
    logging = service["telemetryConfig"]["loggingConfig"]
    assert logging == {
        "logGroup": "/aws/lambda/web/shop",
        "applicationLogLevel": "INFO",
        "systemLogLevel": "INFO",
    }
    assert web.api.get_web_function(functionName="shop")["functionName"] == "shop"
    assert web.api.get_web_account_settings()["accountUsage"] == {"functionCount": 1}
    assert web.api.list_web_function_endpoints(functionName="shop")["endpoints"] == []
    web.api.delete_web_function(functionName="shop")
    with refused("ResourceNotFoundException"):
        web.api.get_web_function(functionName="shop")


def test_what_is_refused(web: WebFunctions, client: Any) -> None:
    good = web.config(FILES, PYTHON)
    for name in ("-a", "a-", "a.b", "a" * 65):
        with refused("ValidationException"):
            web.api.create_web_function(functionName=name)
    with refused("ValidationException"):
        web.api.create_web_function(functionName="a", revisionConfig=web.config(FILES, "cobol85"))
    with refused("reserved"):
        config = web.config(FILES, PYTHON, environmentVariables={"AWS_LAMBDA_HTTP_ENDPOINT": "x"})
        web.api.create_web_function(functionName="a", revisionConfig=config)
    with refused("NoSuchKey"):
        config = web.config(FILES, PYTHON)
        config["buildConfig"]["codeConfig"]["s3Object"]["key"] = "nothing"
        web.api.create_web_function(functionName="a", revisionConfig=config)
    with refused("unzip"):
        web.s3.put_object(Bucket=web.bucket, Key="bad", Body=b"no zip")
        config["buildConfig"]["codeConfig"]["s3Object"]["key"] = "bad"
        web.api.create_web_function(functionName="a", revisionConfig=config)
    assert web.api.list_web_functions()["functions"] == []
    web.api.create_web_function(functionName="a", revisionConfig=good)
    for region in ("us-east-1", "eu-west-1"):  # a name is the account's in all regions
        with refused("ConflictException"):
            client("lambda-web", region).create_web_function(functionName="a")


def test_endpoints(web: WebFunctions) -> None:
    domain = web.make("shop", FILES, endpoint={"autoDeploymentMode": "Disabled"}, environmentVariables={"SAYS": "one"})
    first = web.api.get_web_function_endpoint(functionName="shop", endpointName="live")
    assert first["revisionWeights"][0]["weight"] == 100
    assert first["regionalEndpoints"]["us-east-1"]["domainName"] == domain
    one = first["revisionWeights"][0]["revisionId"]
    two = revise(web, "shop", SAYS="two")
    assert web.ask(domain)[2] == b"one"
    for weights in ([(one, 50), (two, 40)], [(one, 50), (one, 50)]):
        with refused("ValidationException"):
            update(web, weights)
    with refused("ResourceNotFoundException"):
        update(web, [("nothing", 100)])
    changed = update(web, [(one, 50), (two, 50)])
    assert changed["updateStatus"] == "Successful"
    assert {web.ask(domain)[2] for _ in range(40)} == {b"one", b"two"}
    update(web, [(two, 100)])
    assert {web.ask(domain)[2] for _ in range(5)} == {b"two"}
    with refused("ConflictException"):
        web.api.delete_web_function_revision(functionName="shop", revisionId=two)
    web.api.delete_web_function_revision(functionName="shop", revisionId=one)
    with refused("ValidationException"):
        web.api.update_web_function_endpoint(
            functionName="shop",
            endpointName="live",
            autoDeploymentMode="LatestRevision",
            revisionWeights=[{"revisionId": two, "weight": 100}],
        )
    web.api.delete_web_function_endpoint(functionName="shop", endpointName="live")
    assert web.ask(domain)[0] == 404


def update(web: WebFunctions, weights: list[tuple[str, int]]) -> Any:
    return web.api.update_web_function_endpoint(
        functionName="shop",
        endpointName="live",
        revisionWeights=[{"revisionId": id_, "weight": weight} for id_, weight in weights],
    )


def test_the_latest_revision_serves(web: WebFunctions) -> None:
    domain = web.make("shop", FILES, environmentVariables={"SAYS": "one"})
    assert web.ask(domain)[2] == b"one"
    two = revise(web, "shop", SAYS="two")
    assert web.ask(domain)[2] == b"two"
    served = web.api.get_web_function_endpoint(functionName="shop", endpointName="live")["revisionWeights"]
    assert served == [{"revisionId": two, "weight": 100}]


def test_a_runtime_that_is_not_here(web: WebFunctions) -> None:
    made = web.api.create_web_function(
        functionName="shop",
        revisionConfig=web.config(FILES, "python3.15"),
        endpointConfig={"endpointName": "live", "endpointType": "HomeRegion", "authType": "ApplicationManaged"},
    )
    waiter = web.api.get_waiter("web_function_endpoint_active")
    with pytest.raises(WaiterError, match="Failed"):
        waiter.wait(functionName="shop", endpointName="live", WaiterConfig={"Delay": 0.05, "MaxAttempts": 1200})
    id_ = made["revision"]["revisionId"]
    revision = web.api.get_web_function_revision(functionName="shop", revisionId=id_)
    assert revision["state"] == "Failed"
    assert "python3.15" in revision["errors"][0]["errorMessage"]
    assert web.ask(made["endpoint"]["domainName"])[0] == 503


def test_limits_of_endpoints(web: WebFunctions) -> None:
    domain = web.make("shop", FILES, endpoint={"throttleConfig": {"rateLimit": 0}})
    assert web.ask(domain)[0] == 429
    name = {"functionName": "shop", "endpointName": "live"}
    with refused("rateLimit"):
        web.api.update_web_function_endpoint(**name, throttleConfig={"rateLimit": 150})
    changed = web.api.update_web_function_endpoint(**name, throttleConfig={}, scalingConfig={"maxEnvironments": 2})
    assert "throttleConfig" not in changed
    assert changed["scalingConfig"] == {"maxEnvironments": 2}
    assert web.ask(domain)[0] == 200


def test_several_regions(web: WebFunctions) -> None:
    web.make("shop", FILES)
    revision = web.api.list_web_function_revisions(functionName="shop")["revisions"][0]["revisionId"]
    settings = {
        "functionName": "shop",
        "endpointType": "PerRegion",
        "authType": "ApplicationManaged",
        "revisionWeights": [{"revisionId": revision, "weight": 100}],
    }
    with refused("at least one Region"):
        web.api.create_web_function_endpoint(**settings, endpointName="each")
    made = web.api.create_web_function_endpoint(**settings, endpointName="each", regions=["eu-west-1"])
    assert made["regions"] == ["us-east-1", "eu-west-1"]
    assert web.ask(made["domainName"])[0] == 200
    there = made["regionalEndpoints"]["eu-west-1"]["domainName"]
    assert web.ask(there)[0] == 200
    assert web.ask(there.replace("eu-west-1", "eu-west-3"))[0] == 404


def test_lists_in_pages(web: WebFunctions) -> None:
    for name in ("a", "b", "c"):
        web.api.create_web_function(functionName=name)
    first = web.api.list_web_functions(maxResults=2)
    assert [one["functionName"] for one in first["functions"]] == ["a", "b"]
    rest = web.api.list_web_functions(maxResults=2, nextToken=first["nextToken"])
    assert [one["functionName"] for one in rest["functions"]] == ["c"]
    assert "nextToken" not in rest
    assert web.api.list_web_functions(filters=[{"name": "state", "values": ["Failed"]}])["functions"] == []
    with refused("ValidationException"):
        web.api.list_web_functions(filters=[{"name": "colour", "values": ["red"]}])


def test_tags_and_policies(web: WebFunctions, account: str) -> None:
    arn = web.api.create_web_function(functionName="shop")["functionArn"]
    web.api.tag_resource(resource=arn, tags={"a": "1", "b": "2"})
    web.api.untag_resource(resource=arn, tagKeys=["a"])
    assert web.api.list_tags(resource=arn)["tags"] == {"b": "2"}
    with refused("ResourceNotFoundException"):
        web.api.get_resource_policy(resourceArn=arn)
    text = (
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"%s"},'
        '"Action":"lambda:InvokeWebFunctionEndpoint","Resource":"%s/endpoint/live"}]}'
    )
    put = web.api.put_resource_policy(resourceArn=arn, policy=text % (account, arn))
    assert web.api.get_resource_policy(resourceArn=arn)["policy"] == text % (account, arn)
    with refused("ConflictException"):
        web.api.put_resource_policy(
            resourceArn=arn, policy=text % (account, arn), revisionId="00000000-0000-4000-8000-000000000000"
        )
    with refused("ValidationException"):
        web.api.put_resource_policy(resourceArn=arn, policy=text % (account, arn + "x"))
    web.api.delete_resource_policy(resourceArn=arn, revisionId=put["revisionId"])


def test_one_of_lambdas_own_is_another(web: WebFunctions, client: Any) -> None:
    web.api.create_web_function(functionName="shop")
    assert client("lambda").list_functions()["Functions"] == []
