"""Gateway responses, VPC links, tags, the account."""

from collections.abc import Callable
from typing import Any

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


def test_vpc_links(gateway: Any, refused: Refuse) -> None:
    arn = "arn:aws:elasticloadbalancing:us-east-1:1:loadbalancer/net/x/1"
    made = gateway.create_vpc_link(name="to the shop", targetArns=[arn])
    assert made["status"] == "PENDING"
    assert gateway.get_vpc_link(vpcLinkId=made["id"])["status"] == "AVAILABLE"
    assert refused(gateway.create_vpc_link, name="x", targetArns=["no"])[1] == "Invalid ARN. ARN is not well formed no"
    gateway.delete_vpc_link(vpcLinkId=made["id"])
    assert gateway.get_vpc_links()["items"] == []


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
