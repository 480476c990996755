"""Custom domain names, their mappings, and associations of private ones."""

from collections.abc import Callable
from typing import Any

Refuse = Callable[..., tuple[str, str]]


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
