"""Custom domain names of this API: mappings of several parts, routing rules, and where requests arrive."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.services.apigateway.http.conftest import Api, Backend


@pytest.fixture
def domain(shop: Api) -> str:
    """A name that leads nowhere yet."""
    name = f"d{shop.id}.example.com"
    arn = f"arn:aws:acm:us-east-1:{shop.account}:certificate/1"
    shop.v2.create_domain_name(DomainName=name, DomainNameConfigurations=[{"CertificateArn": arn}])
    return name


def _code(call: Callable[..., Any], **arguments: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return str(caught.value.response["Error"]["Code"])


def _says(api: Api, backend: Backend, stage: str, path: str) -> None:
    api.route("ANY /{proxy+}", api.forward(f"{backend.url}{path}/{{proxy}}"))
    api.route("ANY /", api.forward(f"{backend.url}{path}"))
    api.stage(stage)


def test_a_domain_lives(shop: Api, domain: str) -> None:
    got = shop.v2.get_domain_name(DomainName=domain)
    configuration = got["DomainNameConfigurations"][0]
    assert got["ApiMappingSelectionExpression"] == "$request.basepath"
    assert got["RoutingMode"] == "API_MAPPING_ONLY"
    assert (configuration["EndpointType"], configuration["SecurityPolicy"]) == ("REGIONAL", "TLS_1_2")
    assert configuration["DomainNameStatus"] == "AVAILABLE"
    assert [one["DomainName"] for one in shop.v2.get_domain_names()["Items"]] == [domain]
    trust = {"TruststoreUri": "s3://no-such-bucket-here/k"}
    refused = {"MutualTlsAuthentication": trust, "RoutingMode": "ROUTING_RULE_ONLY"}
    assert _code(shop.v2.update_domain_name, DomainName=domain, **refused) == "BadRequestException"
    assert shop.v2.get_domain_name(DomainName=domain) | {"ResponseMetadata": 0} == got | {"ResponseMetadata": 0}
    updated = shop.v2.update_domain_name(DomainName=domain, RoutingMode="ROUTING_RULE_ONLY")
    assert updated["RoutingMode"] == "ROUTING_RULE_ONLY"
    again = {"DomainName": domain, "DomainNameConfigurations": got["DomainNameConfigurations"]}
    assert _code(shop.v2.create_domain_name, **again) == "BadRequestException"
    shop.v2.tag_resource(ResourceArn=got["DomainNameArn"], Tags={"a": "1"})
    assert shop.v2.get_domain_name(DomainName=domain)["Tags"] == {"a": "1"}
    shop.v2.delete_domain_name(DomainName=domain)
    assert _code(shop.v2.get_domain_name, DomainName=domain) == "NotFoundException"


def test_mappings_may_have_several_parts(
    shop: Api, make_api: Callable[..., Api], domain: str, backend: Backend
) -> None:
    other = make_api()
    _says(shop, backend, "$default", "/first")
    _says(other, backend, "v1", "/second")
    made = shop.v2.create_api_mapping(DomainName=domain, ApiId=shop.id, Stage="$default", ApiMappingKey="shop")
    deep = shop.v2.create_api_mapping(DomainName=domain, ApiId=other.id, Stage="v1", ApiMappingKey="shop/new/v1")
    assert shop.call("GET", "/shop/a", host=domain).json["path"] == "/first/a"
    assert shop.call("GET", "/shop/new/v1/a?x=1", host=domain).json["path"] == "/second/a?x=1"
    assert shop.call("GET", "/else", host=domain).status == 403
    assert _code(
        shop.v2.create_api_mapping, DomainName=domain, ApiId=shop.id, Stage="$default", ApiMappingKey="shop"
    ) == ("ConflictException")
    assert _code(shop.v2.create_api_mapping, DomainName=domain, ApiId=shop.id, Stage="no") == "BadRequestException"
    assert _code(shop.v2.create_api_mapping, DomainName=domain, ApiId="zzz", Stage="no") == "BadRequestException"
    updated = shop.v2.update_api_mapping(
        DomainName=domain, ApiId=other.id, ApiMappingId=deep["ApiMappingId"], ApiMappingKey="", Stage="v1"
    )
    assert updated["ApiMappingKey"] == ""
    assert shop.call("GET", "/else", host=domain).json["path"] == "/second/else"
    shop.v2.delete_api_mapping(DomainName=domain, ApiMappingId=made["ApiMappingId"])
    assert shop.call("GET", "/shop/a", host=domain).json["path"] == "/second/shop/a"
    assert [one["ApiMappingId"] for one in shop.v2.get_api_mappings(DomainName=domain)["Items"]] == [
        deep["ApiMappingId"]
    ]


def test_rules_choose_by_headers_and_paths(
    shop: Api, make_api: Callable[..., Api], domain: str, backend: Backend
) -> None:
    other = make_api()
    _says(shop, backend, "$default", "/first")
    _says(other, backend, "v1", "/second")
    shop.v2.create_api_mapping(DomainName=domain, ApiId=shop.id, Stage="$default")
    action = {"InvokeApi": {"ApiId": other.id, "Stage": "v1", "StripBasePath": True}}
    rule = shop.v2.create_routing_rule(
        DomainName=domain,
        Priority=10,
        Actions=[action],
        Conditions=[
            {"MatchBasePaths": {"AnyOf": ["beta"]}},
            {"MatchHeaders": {"AnyOf": [{"Header": "X-Who", "ValueGlob": "ann*"}]}},
        ],
    )
    shop.v2.update_domain_name(DomainName=domain, RoutingMode="ROUTING_RULE_THEN_API_MAPPING")
    assert shop.call("GET", "/beta/a", headers={"X-Who": "anna"}, host=domain).json["path"] == "/second/a"
    assert shop.call("GET", "/beta/a", headers={"X-Who": "bob"}, host=domain).json["path"] == "/first/beta/a"
    taken = {"DomainName": domain, "Priority": 10, "Actions": [action], "Conditions": []}
    assert _code(shop.v2.create_routing_rule, **taken) == "ConflictException"
    shop.v2.put_routing_rule(
        DomainName=domain, RoutingRuleId=rule["RoutingRuleId"], Priority=5, Actions=[action], Conditions=[]
    )
    assert shop.call("GET", "/a", host=domain).json["path"] == "/second/a"
    assert [one["Priority"] for one in shop.v2.list_routing_rules(DomainName=domain)["RoutingRules"]] == [5]
    assert shop.v2.get_routing_rule(DomainName=domain, RoutingRuleId=rule["RoutingRuleId"])["Conditions"] == []
    shop.v2.delete_routing_rule(DomainName=domain, RoutingRuleId=rule["RoutingRuleId"])
    assert shop.call("GET", "/a", host=domain).json["path"] == "/first/a"
