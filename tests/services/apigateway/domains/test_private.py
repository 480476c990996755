"""Private domain names: by which VPC endpoint a request comes decides whether it may."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.conftest import NodeProcess
from tests.services.apigateway.rest.pipeline.conftest import Api

ALLOW = {"Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/*"}
NAME = "private.example.com"


def only(*endpoints: str) -> str:
    """A policy for some endpoints alone."""
    other = ALLOW | {"Effect": "Deny", "Condition": {"StringNotEquals": {"aws:SourceVpce": list(endpoints)}}}
    return json.dumps({"Version": "2012-10-17", "Statement": [ALLOW, other]})


@pytest.fixture
def node(start_node: Callable[..., NodeProcess]) -> NodeProcess:
    """One of its own: these tests share a domain's name, as private domains may."""
    return start_node()


def private(client: Callable[..., Any], endpoint: str, account: str, **settings: Any) -> tuple[Api, dict[str, Any]]:
    """An API that says its endpoint, and a domain that leads to it."""
    kind = {"types": ["PRIVATE"]}
    api = Api(client, endpoint, account, endpointConfiguration=kind, policy=only("vpce-0a1", "vpce-0a2", "vpce-0b1"))
    api.mock("GET", "/", '"$context.identity.vpceId"')
    api.deploy()
    domain = api.rest.create_domain_name(domainName=NAME, endpointConfiguration=kind, **settings)
    at = {"domainName": NAME, "domainNameId": domain["domainNameId"]}
    api.rest.create_base_path_mapping(**at, restApiId=api.id, stage="dev")
    return api, domain


def associate(api: Api, arn: str, endpoint: str) -> str:
    made = api.rest.create_domain_name_access_association(
        domainNameArn=arn, accessAssociationSourceType="VPCE", accessAssociationSource=endpoint
    )
    return str(made["domainNameAccessAssociationArn"])


def call(api: Api, endpoint: str) -> int:
    return api.call("GET", "/", stage="", host=NAME, headers={"X-Amzn-Vpce-Id": endpoint} if endpoint else {}).status


def test_who_may_come(client: Callable[..., Any], endpoint: str, account: str) -> None:
    api, domain = private(client, endpoint, account, policy=only("vpce-0a1"))
    first = associate(api, domain["domainNameArn"], "vpce-0a1")
    associate(api, domain["domainNameArn"], "vpce-0a2")
    assert [call(api, one) for one in ("vpce-0a1", "vpce-0a2", "vpce-0a3", "")] == [200, 403, 403, 403]
    api.rest.update_domain_name(
        domainName=NAME,
        domainNameId=domain["domainNameId"],
        patchOperations=[{"op": "replace", "path": "/policy", "value": only("vpce-0a1", "vpce-0a2")}],
    )
    answer = api.call("GET", "/", stage="", host=NAME, headers={"x-amzn-vpce-id": "vpce-0a2"})
    assert answer.json == "vpce-0a2"
    api.rest.delete_domain_name_access_association(domainNameAccessAssociationArn=first)
    assert [call(api, one) for one in ("vpce-0a1", "vpce-0a2")] == [403, 200]


def test_a_domain_without_a_policy_lets_nobody_in(client: Callable[..., Any], endpoint: str, account: str) -> None:
    api, domain = private(client, endpoint, account)
    associate(api, domain["domainNameArn"], "vpce-0a1")
    assert call(api, "vpce-0a1") == 403


def test_domains_of_others(client: Callable[..., Any], endpoint: str, account: str) -> None:
    """Two of one name: an endpoint leads to the one that it has an association with, which that one's owner allows."""
    api, _ = private(client, endpoint, account, policy=only("vpce-0a1"))
    owner = f"{int(account) + 500_000:012}"
    other, domain = private(lambda service: client(service, account=owner), endpoint, owner, policy=only("vpce-0b1"))
    with pytest.raises(ClientError) as refused:
        associate(api, domain["domainNameArn"], "vpce-0b1")
    assert refused.value.response["Error"]["Code"] == "AccessDeniedException"
    allow = {"Effect": "Allow", "Principal": {"AWS": account}, "Action": "apigateway:CreateAccessAssociation"}
    policy = {"Version": "2012-10-17", "Statement": [allow | {"Resource": domain["domainNameArn"]}]}
    other.rest.update_domain_name(
        domainName=NAME,
        domainNameId=domain["domainNameId"],
        patchOperations=[{"op": "replace", "path": "/managementPolicy", "value": json.dumps(policy)}],
    )
    arn = associate(api, domain["domainNameArn"], "vpce-0b1")
    assert [call(api, one) for one in ("vpce-0b1", "vpce-0a1")] == [200, 403]
    with pytest.raises(ClientError):
        api.rest.reject_domain_name_access_association(
            domainNameAccessAssociationArn=arn, domainNameArn=domain["domainNameArn"]
        )
    other.rest.reject_domain_name_access_association(
        domainNameAccessAssociationArn=arn, domainNameArn=domain["domainNameArn"]
    )
    assert call(api, "vpce-0b1") == 403


def test_a_private_api_needs_a_policy(client: Callable[..., Any], endpoint: str, account: str) -> None:
    api = Api(client, endpoint, account, endpointConfiguration={"types": ["PRIVATE"]})
    api.mock("GET", "/")
    with pytest.raises(ClientError, match="Private REST API doesn't have a resource policy attached to it"):
        api.deploy()
