"""Gateway responses, documentation, certificates, VPC links, domain names, tags, the account."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography import x509

Refuse = Callable[..., tuple[str, str]]


def test_gateway_responses_follow_their_default(gateway: Any, rest_api: Any) -> None:
    id = rest_api["id"]
    gateway.put_gateway_response(restApiId=id, responseType="DEFAULT_4XX", statusCode="418")
    found = {each["responseType"]: each for each in gateway.get_gateway_responses(restApiId=id)["items"]}
    assert len(found) == 21
    assert (found["THROTTLED"]["statusCode"], found["THROTTLED"]["defaultResponse"]) == ("418", True)
    assert found["INTEGRATION_FAILURE"]["statusCode"] == "504"
    gateway.delete_gateway_response(restApiId=id, responseType="DEFAULT_4XX")
    assert gateway.get_gateway_response(restApiId=id, responseType="THROTTLED")["statusCode"] == "429"


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


def test_a_certificate_is_one(gateway: Any, deployed: Any, refused: Refuse) -> None:
    made = gateway.generate_client_certificate(description="for backends")
    parsed = x509.load_pem_x509_certificate(made["pemEncodedCertificate"].encode())
    assert parsed.not_valid_before_utc.timestamp() == made["createdDate"].timestamp()
    assert (made["expirationDate"] - made["createdDate"]).days == 365
    id = made["clientCertificateId"]
    operation = {"op": "replace", "path": "/clientCertificateId", "value": id}
    gateway.update_stage(restApiId=deployed["id"], stageName="dev", patchOperations=[operation])
    assert refused(gateway.delete_client_certificate, clientCertificateId=id)[0] == "BadRequestException"
    gateway.delete_stage(restApiId=deployed["id"], stageName="dev")
    gateway.delete_client_certificate(clientCertificateId=id)
    assert gateway.get_client_certificates()["items"] == []


def test_vpc_links(gateway: Any, refused: Refuse) -> None:
    arn = "arn:aws:elasticloadbalancing:us-east-1:1:loadbalancer/net/x/1"
    made = gateway.create_vpc_link(name="to the shop", targetArns=[arn])
    assert made["status"] == "PENDING"
    assert gateway.get_vpc_link(vpcLinkId=made["id"])["status"] == "AVAILABLE"
    assert refused(gateway.create_vpc_link, name="x", targetArns=["no"])[1] == "Invalid ARN. ARN is not well formed no"
    gateway.delete_vpc_link(vpcLinkId=made["id"])
    assert gateway.get_vpc_links()["items"] == []


@pytest.fixture
def domain(gateway: Any, account: str) -> str:
    name = f"api{account}.example.com"
    gateway.create_domain_name(domainName=name, endpointConfiguration={"types": ["REGIONAL"]})
    return name


def test_a_domain_has_addresses(gateway: Any, domain: str, refused: Refuse) -> None:
    found = gateway.get_domain_name(domainName=domain)
    assert found["regionalDomainName"].endswith(".execute-api.us-east-1.amazonaws.com")
    assert found["securityPolicy"] == "TLS_1_2"
    assert refused(gateway.create_domain_name, domainName=domain)[1] == "The domain name you provided already exists."
    for wrong in ("one", "-a.example.com", "a b.example.com", "a.*.com", "x" * 64 + ".com"):
        assert refused(gateway.create_domain_name, domainName=wrong)[0] == "BadRequestException"
    changed = gateway.update_domain_name(
        domainName=domain, patchOperations=[{"op": "add", "path": "/endpointConfiguration/types", "value": "EDGE"}]
    )
    assert changed["distributionDomainName"].endswith(".cloudfront.net")
    assert changed["regionalDomainName"] == found["regionalDomainName"]


def test_mappings(gateway: Any, deployed: Any, domain: str, refused: Refuse) -> None:
    at = {"domainName": domain, "restApiId": deployed["id"]}
    assert gateway.create_base_path_mapping(**at)["basePath"] == "(none)"
    gateway.create_base_path_mapping(**at, basePath="v1", stage="dev")
    assert refused(gateway.create_base_path_mapping, **at, basePath="v1")[0] == "ConflictException"
    for wrong in ({"basePath": "a/b"}, {"basePath": "x", "stage": "none"}, {"basePath": "x", "restApiId": "none"}):
        assert refused(gateway.create_base_path_mapping, **(at | wrong))[0] == "BadRequestException"
    gateway.update_base_path_mapping(
        domainName=domain, basePath="v1", patchOperations=[{"op": "replace", "path": "/basePath", "value": "v2"}]
    )
    paths = [each["basePath"] for each in gateway.get_base_path_mappings(domainName=domain)["items"]]
    assert paths == ["(none)", "v2"]
    gateway.delete_base_path_mapping(domainName=domain, basePath="(none)")
    gateway.delete_domain_name(domainName=domain)
    assert refused(gateway.get_base_path_mappings, domainName=domain)[1] == "Invalid domain name identifier specified"


def test_access_associations(gateway: Any, refused: Refuse) -> None:
    private = gateway.create_domain_name(domainName="private.example.com", endpointConfiguration={"types": ["PRIVATE"]})
    asked = {
        "domainNameArn": private["domainNameArn"],
        "accessAssociationSourceType": "VPCE",
        "accessAssociationSource": "vpce-1234",
    }
    made = gateway.create_domain_name_access_association(**asked)
    assert refused(gateway.create_domain_name_access_association, **asked)[0] == "ConflictException"
    arn = made["domainNameAccessAssociationArn"]
    assert [
        each["domainNameAccessAssociationArn"] for each in gateway.get_domain_name_access_associations()["items"]
    ] == [arn]
    gateway.reject_domain_name_access_association(
        domainNameAccessAssociationArn=arn, domainNameArn=private["domainNameArn"]
    )
    assert gateway.get_domain_name_access_associations()["items"] == []


def test_tags(gateway: Any, deployed: Any, domain: str, refused: Refuse) -> None:
    start = "arn:aws:apigateway:us-east-1::"
    key = gateway.create_api_key(name="k")["id"]
    plan = gateway.create_usage_plan(name="p")["id"]
    for path in (
        f"/restapis/{deployed['id']}",
        f"/restapis/{deployed['id']}/stages/dev",
        f"/apikeys/{key}",
        f"/usageplans/{plan}",
        f"/domainnames/{domain}",
    ):
        gateway.tag_resource(resourceArn=start + path, tags={"a": "1", "b": "2"})
        gateway.untag_resource(resourceArn=start + path, tagKeys=["a", "none"])
        assert gateway.get_tags(resourceArn=start + path)["tags"] == {"b": "2"}
        assert refused(gateway.tag_resource, resourceArn=start + path, tags={"aws:x": "1"})[0] == "BadRequestException"
    assert refused(gateway.get_tags, resourceArn=f"{start}/restapis/none")[0] == "NotFoundException"
    assert refused(gateway.get_tags, resourceArn="no arn")[0] == "BadRequestException"


def test_the_account(gateway: Any, refused: Refuse) -> None:
    assert gateway.get_account()["throttleSettings"] == {"burstLimit": 5000, "rateLimit": 10000.0}
    role = "arn:aws:iam::111122223333:role/logs"
    gateway.update_account(patchOperations=[{"op": "replace", "path": "/cloudwatchRoleArn", "value": role}])
    assert gateway.get_account()["cloudwatchRoleArn"] == role
    wrong = [{"op": "replace", "path": "/cloudwatchRoleArn", "value": "nobody"}]
    assert refused(gateway.update_account, patchOperations=wrong)[0] == "BadRequestException"
