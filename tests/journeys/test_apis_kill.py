"""`kill -9` while APIs are imported, deployed and deleted: each change is there whole after the next start, or not at all.

Two kills a run by default, more with `--kills`, as in test_kill.py.
"""

import json
import random
import sqlite3
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from tests.conftest import NodeProcess

ACCOUNT = "111111111111"
PATHS = 25
REST = ("apigateway_part", "apigateway_deployment", "apigateway_stage")


class Hand(threading.Thread):
    """Does one change after another until the node dies."""

    def __init__(self, node: NodeProcess, change: Callable[["Hand", int], None]) -> None:
        super().__init__(daemon=True)
        self.rest = node.client("apigateway", ACCOUNT)
        self.v2 = node.client("apigatewayv2", ACCOUNT)
        self.endpoint = node.endpoint
        self.done = 0
        self.wrong = ""
        self.ended = threading.Event()
        self._change = change

    def run(self) -> None:
        for number in range(1_000_000):
            if self.ended.is_set():
                return
            try:
                self._change(self, number)
            except ClientError as error:
                self.wrong = str(error)
                return
            except (BotoCoreError, OSError):
                return  # the node is gone
            self.done = number + 1


def document(edition: int, title: str = "pets") -> bytes:
    """An API all of whose methods say the same edition."""
    answer = {"statusCode": "200", "responseTemplates": {"application/json": json.dumps({"edition": edition})}}
    integration = {
        "type": "mock",
        "requestTemplates": {"application/json": '{"statusCode": 200}'},
        "responses": {"default": answer},
    }
    method = {"responses": {"200": {"description": "ok"}}, "x-amazon-apigateway-integration": integration}
    paths = {f"/p{edition}-{number}": {"get": method} for number in range(PATHS)}
    return json.dumps({"swagger": "2.0", "info": {"title": title, "version": str(edition)}, "paths": paths}).encode()


def said(endpoint: str, api: str, path: str) -> int:
    """The edition that a stage answers with."""
    with urllib.request.urlopen(f"{endpoint}/_aws/execute-api/{api}/dev{path}", timeout=60) as answer:
        return int(json.load(answer)["edition"])


def _import(api: str) -> Callable[[Hand, int], None]:
    return lambda hand, number: hand.rest.put_rest_api(restApiId=api, mode="overwrite", body=document(number % 2))


def _deploy(api: str) -> Callable[[Hand, int], None]:
    def change(hand: Hand, number: int) -> None:
        before = hand.rest.get_stages(restApiId=api)["item"]
        hand.rest.put_rest_api(restApiId=api, mode="overwrite", body=document(number % 2))
        hand.rest.create_deployment(restApiId=api, stageName="dev", description=str(number % 2))
        for stage in before:
            hand.rest.delete_deployment(restApiId=api, deploymentId=stage["deploymentId"])

    return change


def _come_and_go(hand: Hand, number: int) -> None:
    made = hand.rest.import_rest_api(body=document(number % 2, "passing"))["id"]
    hand.rest.create_deployment(restApiId=made, stageName="dev")
    plan = hand.rest.create_usage_plan(name="p", apiStages=[{"apiId": made, "stage": "dev"}])["id"]
    if number % 2:
        hand.rest.delete_rest_api(restApiId=made)
        hand.rest.delete_usage_plan(usagePlanId=plan)


def _http(hand: Hand, number: int) -> None:
    made = hand.v2.create_api(Name="passing", ProtocolType="HTTP", Target=f"http://127.0.0.1:1/{number}")["ApiId"]
    if number % 2:
        hand.v2.delete_api(ApiId=made)


def _whole(node: NodeProcess, imported: str, deployed: str) -> None:
    rest = node.client("apigateway", ACCOUNT)
    resources = rest.get_resources(restApiId=imported, limit=500, embed=["methods"])["items"]
    edition = rest.get_rest_api(restApiId=imported)["version"]
    assert {each["path"] for each in resources} == {"/", *(f"/p{edition}-{number}" for number in range(PATHS))}
    assert all(each["path"] == "/" or each["resourceMethods"]["GET"]["methodIntegration"] for each in resources)
    for stage in rest.get_stages(restApiId=deployed)["item"]:
        shown = int(rest.get_deployment(restApiId=deployed, deploymentId=stage["deploymentId"])["description"])
        assert said(node.endpoint, deployed, f"/p{shown}-{PATHS - 1}") == shown
        with pytest.raises(urllib.error.HTTPError):
            said(node.endpoint, deployed, f"/p{1 - shown}-0")
    for made in rest.get_rest_apis(limit=500)["items"]:
        assert len(rest.get_resources(restApiId=made["id"], limit=500)["items"]) == PATHS + 1
    stages = {
        each["id"]: rest.get_stages(restApiId=each["id"])["item"] for each in rest.get_rest_apis(limit=500)["items"]
    }
    for plan in rest.get_usage_plans(limit=500)["items"]:
        assert all(stages[each["apiId"]] for each in plan["apiStages"])
    v2 = node.client("apigatewayv2", ACCOUNT)
    for made in v2.get_apis(MaxResults="500")["Items"]:
        (stage,) = v2.get_stages(ApiId=made["ApiId"])["Items"]
        v2.get_deployment(ApiId=made["ApiId"], DeploymentId=stage["DeploymentId"])
        (route,) = v2.get_routes(ApiId=made["ApiId"])["Items"]
        v2.get_integration(ApiId=made["ApiId"], IntegrationId=route["Target"].partition("/")[2])


def _nothing_without_its_api(node: NodeProcess) -> None:
    """The node has ended: its rows are looked at themselves."""
    file = sqlite3.connect(node.data / "records" / "apigateway.db")
    try:
        for table in REST:
            left = file.execute(f"SELECT COUNT(*) FROM {table} WHERE api NOT IN (SELECT id FROM apigateway_api)")
            assert left.fetchone() == (0,), table
        left = file.execute(
            "SELECT COUNT(*) FROM apigatewayv2_snapshot WHERE api NOT IN (SELECT id FROM apigatewayv2_api)"
        )
        assert left.fetchone() == (0,)
    finally:
        file.close()


def test_each_change_is_whole(start_node: Callable[..., NodeProcess], pytestconfig: pytest.Config) -> None:
    node = start_node("--limit", "apigateway.edge_apis=100000", "--limit", "apigateway.usage_plans=100000")
    rest = node.client("apigateway", ACCOUNT)
    imported, deployed = (str(rest.import_rest_api(body=document(0))["id"]) for _ in range(2))
    chance = random.Random(7)
    for _ in range(max(2, pytestconfig.getoption("kills") - 1)):
        changes = (_import(imported), _deploy(deployed), _come_and_go, _http)
        hands = [Hand(node, change) for change in changes]
        for hand in hands:
            hand.start()
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not all(hand.done for hand in hands) and not any(h.wrong for h in hands):
            time.sleep(0.02)
        time.sleep(chance.random())
        node.kill()
        for hand in hands:
            hand.ended.set()
            hand.join(70)
        assert not any(hand.wrong for hand in hands), [hand.wrong for hand in hands]
        assert all(hand.done for hand in hands)
        node.start()
        _whole(node, imported, deployed)
    node.stop()
    _nothing_without_its_api(node)


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _ask(endpoint: str, api: str, path: str) -> Any:
    try:
        return said(endpoint, api, path)
    except urllib.error.HTTPError as error:
        return f"{error.code} {error.read().decode()}"


@pytest.mark.parametrize("kind", ["rest", "http"])
def test_apis_that_change_while_they_are_called(client: Callable[..., Any], endpoint: str, kind: str) -> None:
    """Redeployed, every call is answered by one deployment or the next; deleted, calls are refused. Nothing fails."""
    rest, v2 = client("apigateway"), client("apigatewayv2")
    path, made = "/p0-0", ""
    if kind == "rest":
        api = rest.import_rest_api(body=document(0))["id"]
        rest.create_deployment(restApiId=api, stageName="dev")
    else:
        backend = rest.import_rest_api(body=document(0))["id"]
        rest.create_deployment(restApiId=backend, stageName="dev")
        target = f"{endpoint}/_aws/execute-api/{backend}/dev/p0-0"
        api = v2.create_api(Name="a", ProtocolType="HTTP")["ApiId"]
        made = v2.create_integration(
            ApiId=api,
            IntegrationType="HTTP_PROXY",
            IntegrationUri=target,
            IntegrationMethod="GET",
            PayloadFormatVersion="1.0",
        )["IntegrationId"]
        v2.create_route(ApiId=api, RouteKey="GET /p0-0", Target=f"integrations/{made}")
        v2.create_stage(ApiId=api, StageName="dev", AutoDeploy=True)
    found: list[Any] = []
    ended = threading.Event()

    def call() -> None:
        while not ended.is_set():
            found.append(_ask(endpoint, api, path))

    callers = [threading.Thread(target=call, daemon=True) for _ in range(3)]
    for caller in callers:
        caller.start()
    _until(lambda: bool(found))
    for number in range(15):
        if kind == "rest":
            (stage,) = rest.get_stages(restApiId=api)["item"]
            rest.create_deployment(restApiId=api, stageName="dev", description=str(number))
            rest.delete_deployment(restApiId=api, deploymentId=stage["deploymentId"])
        else:
            v2.update_integration(ApiId=api, IntegrationId=made, TimeoutInMillis=20_000 + number)
    before = len(found)
    assert set(found[:before]) == {0}
    if kind == "rest":
        rest.delete_rest_api(restApiId=api)
    else:
        v2.delete_api(ApiId=api)
    _until(lambda: found[-1] != 0)
    ended.set()
    for caller in callers:
        caller.join(60)
    refused = {one for one in found if one != 0}
    assert refused
    assert all(str(one).startswith(("403 ", "404 ")) for one in refused), refused
