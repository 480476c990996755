from collections.abc import Callable
from typing import Any


def test_everything_is_there_after_a_kill(start_node: Callable[..., Any], account: str) -> None:
    node = start_node()
    gateway = node.client("apigateway", account)
    id, root = (made := gateway.create_rest_api(name="kept"))["id"], made["rootResourceId"]
    child = gateway.create_resource(restApiId=id, parentId=root, pathPart="pets")
    at = {"restApiId": id, "resourceId": child["id"], "httpMethod": "GET"}
    gateway.put_method(**at, authorizationType="NONE")
    gateway.put_integration(**at, type="MOCK")
    gateway.create_deployment(restApiId=id, stageName="dev", variables={"a": "b"})
    key = gateway.create_api_key(name="k", enabled=True)
    plan = gateway.create_usage_plan(name="p", apiStages=[{"apiId": id, "stage": "dev"}])
    gateway.create_usage_plan_key(usagePlanId=plan["id"], keyId=key["id"], keyType="API_KEY")
    certificate = gateway.generate_client_certificate()
    gateway.create_domain_name(domainName="kept.example.com")
    gateway.create_base_path_mapping(domainName="kept.example.com", restApiId=id, stage="dev")
    before = gateway.get_resources(restApiId=id, embed=["methods"])["items"]
    node.kill()
    node.start()
    gateway = node.client("apigateway", account)
    assert gateway.get_resources(restApiId=id, embed=["methods"])["items"] == before
    assert gateway.get_stage(restApiId=id, stageName="dev")["variables"] == {"a": "b"}
    assert gateway.get_usage_plan_keys(usagePlanId=plan["id"])["items"][0]["value"] == key["value"]
    shown = gateway.get_client_certificate(clientCertificateId=certificate["clientCertificateId"])
    assert shown["pemEncodedCertificate"] == certificate["pemEncodedCertificate"]
    assert gateway.get_base_path_mapping(domainName="kept.example.com", basePath="(none)")["restApiId"] == id
    node.stop()


def test_private_keys_are_not_in_the_database(start_node: Callable[..., Any], account: str) -> None:
    node = start_node()
    node.client("apigateway", account).generate_client_certificate()
    node.stop()
    found = b"".join(file.read_bytes() for file in (node.data / "records").glob("apigateway.db*"))
    assert b"BEGIN CERTIFICATE" in found
    assert b"PRIVATE KEY" not in found
