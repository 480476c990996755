"""The links of each kind of thing in `apigateway`, as the examples of AWS's API reference show them.

https://docs.aws.amazon.com/apigateway/latest/api/. Kinds without an example there (documentation's collections and versions, VPC
links, SDK types, tags), and links that came later, follow the pattern and the names of AWS's list of link relations. The entry is as
recorded from AWS in 2015, with the links to usage plans and VPC links that it has had since.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec import Struct

DOCUMENTATION: Final = "http://docs.aws.amazon.com/apigateway/latest/developerguide/"
CURIES: Final = {
    "account": "account-apigateway",
    "domainnameaccessassociation": "domainnameaccessassociation-domainname",
    "integrationresponse": "restapi-integration-response",
    "methodresponse": "restapi-method-response",
}
"""Where links are explained, for namespaces that are not at `restapi-{namespace}`."""


class Kind(Struct, frozen=True, kw_only=True):
    """A kind of thing.

    `path`: its address, where `[name]` is filled in; none for what is where it was asked for. Addresses of `links`, by relation, begin
    there (`~`) or at the root, and what is in braces is left to the client (RFC 6570). `names`: what of it addresses name, its own id
    first, and the attributes that hold that. `slashes`: an id's slashes stay slashes. `suffix`: ends its own address, not those of its
    links. `only`: which things have a link that not all have. `within`: attributes that hold other things, with their relation and kind.
    `many`: it is a page of a list. `first`: the first page of that is linked to even from there. `named`: links to it tell its id.
    """

    path: str = ""
    names: tuple[tuple[str, str], ...] = ()
    slashes: bool = False
    suffix: str = ""
    links: Mapping[str, str] = {}
    only: Mapping[str, Callable[[Any], bool]] = {}
    within: tuple[tuple[str, str, str], ...] = ()
    many: bool = False
    first: bool = False
    named: bool = False


def _changeable(relation: str, *others: str) -> dict[str, str]:
    """What most things can be: updated and deleted at their own address."""
    return dict.fromkeys((f"{relation}:update", f"{relation}:delete", *others), "~")


def _list(path: str, kind: str, links: Mapping[str, str], *, first: bool = False, items: str = "items") -> Kind:
    return Kind(path=path, links=links, within=((items, "item", kind),), many=True, first=first)


_API = "/restapis/[restapi_id]"
_METHOD = f"{_API}/resources/[resource_id]/methods/[http_method]"
_DOMAIN = "/domainnames/[domain_name]"

_ENTRY = Kind(
    path="/",
    links={
        "account:update": "/account",
        "apigateway:api-keys": "/apikeys",
        "apigateway:client-certificates": "/clientcertificates",
        "apigateway:domain-names": "/domainnames",
        "apigateway:rest-apis": "/restapis",
        "apigateway:usage-plans": "/usageplans",
        "apigateway:vpc-links": "/vpclinks",
        "apikey:by-key": "/apikeys/{api_Key}",
        "apikey:create": "/apikeys",
        "domainname:by-name": "/domainnames/{domain_name}",
        "domainname:create": "/domainnames",
        "restapi:by-id": "/restapis/{restapi_id}",
        "restapi:create": "/restapis",
        "usageplan:by-id": "/usageplans/{usageplanId}",
        "usageplan:create": "/usageplans",
    },
)
_REST_API = Kind(
    path=_API,
    names=(("restapi_id", "id"), ("root_resource_id", "root_resource_id")),
    only={"resource:create": lambda api: api.root_resource_id is not None},
    links=_changeable("restapi")
    | {
        "authorizer:by-id": "~/authorizers/{authorizer_id}",
        "authorizer:create": "~/authorizers",
        "deployment:by-id": "~/deployments/{deployment_id}{?embed}",
        "deployment:create": "~/deployments",
        "documentationpart:by-id": "~/documentation/parts/{part_id}",
        "documentationpart:create": "~/documentation/parts",
        "documentationpart:import": "~/documentation/parts?failonwarnings=false{&mode}",
        "documentationversion:by-version": "~/documentation/versions/{doc_version}",
        "documentationversion:create": "~/documentation/versions",
        "gatewayresponse:by-type": "~/gatewayresponses/{response_type}",
        "gatewayresponse:put": "~/gatewayresponses/{response_type}",
        "model:by-name": "~/models/{model_name}?flatten=false",
        "model:create": "~/models",
        "requestvalidator:by-id": "~/requestvalidators/{requestvalidator_id}",
        "requestvalidator:create": "~/requestvalidators",
        "resource:by-id": "~/resources/{resource_id}{?embed}",
        "resource:create": "~/resources/[root_resource_id]",
        "restapi:authorizers": "~/authorizers",
        "restapi:deployments": "~/deployments{?limit}",
        "restapi:documentation-parts": "~/documentation/parts",
        "restapi:documentation-versions": "~/documentation/versions",
        "restapi:gateway-responses": "~/gatewayresponses",
        "restapi:models": "~/models",
        "restapi:request-validators": "~/requestvalidators",
        "restapi:resources": "~/resources{?limit,embed}",
        "restapi:stages": "~/stages{?deployment_id}",
        "stage:by-name": "~/stages/{stage_name}",
        "stage:create": "~/stages",
    },
)
_RESOURCE = Kind(
    path=f"{_API}/resources/[resource_id]",
    names=(("resource_id", "id"),),
    links=_changeable("resource", "resource:create-child")
    | {"method:by-http-method": "~/methods/{http_method}", "method:put": "~/methods/{http_method}"},
    only={"resource:delete": lambda resource: resource.parent_id is not None},
    within=(("resource_methods", "resource:methods", "Method"),),
)
_METHODS = {
    "Method": Kind(
        path=_METHOD,
        names=(("http_method", "http_method"),),
        links=_changeable("method")
        | {"integration:put": "~/integration", "methodresponse:put": "~/responses/{status_code}"},
        within=(
            ("method_integration", "method:integration", "Integration"),
            ("method_responses", "method:responses", "MethodResponse"),
        ),
        named=True,
    ),
    "MethodResponse": Kind(
        path=f"{_METHOD}/responses/[status_code]",
        names=(("status_code", "status_code"),),
        links=_changeable("methodresponse"),
        named=True,
    ),
    "Integration": Kind(
        path=f"{_METHOD}/integration",
        links=_changeable("integration") | {"integrationresponse:put": "~/responses/{status_code}"},
        within=(("integration_responses", "integration:responses", "IntegrationResponse"),),
    ),
    "IntegrationResponse": Kind(
        path=f"{_METHOD}/integration/responses/[status_code]",
        names=(("status_code", "status_code"),),
        links=_changeable("integrationresponse"),
        named=True,
    ),
}
_OF_AN_API = {
    "Deployment": Kind(
        path=f"{_API}/deployments/[deployment_id]",
        names=(("deployment_id", "id"),),
        links=_changeable("deployment") | {"deployment:stages": f"{_API}/stages?deployment_id=[deployment_id]"},
    ),
    "Stage": Kind(
        path=f"{_API}/stages/[stage_name]",
        names=(("stage_name", "stage_name"),),
        links=_changeable("stage")
        | {"stage:flush-authorizer-cache": "~/cache/authorizers", "stage:flush-cache": "~/cache/data"},
        only={"stage:flush-cache": lambda stage: bool(stage.cache_cluster_enabled)},
    ),
    "Model": Kind(
        path=f"{_API}/models/[model_name]",
        names=(("model_name", "name"),),
        suffix="?flatten=false",
        links=_changeable("model")
        | {"model:create": f"{_API}/models", "model:generate-template": "~/default_template"},
    ),
    "RequestValidator": Kind(
        path=f"{_API}/requestvalidators/[requestvalidator_id]",
        names=(("requestvalidator_id", "id"),),
        links={"request-validator-delete": "~", "request-validator-update": "~"},
    ),
    "Authorizer": Kind(
        path=f"{_API}/authorizers/[authorizer_id]",
        names=(("authorizer_id", "id"),),
        links=_changeable("authorizer"),
    ),
    "GatewayResponse": Kind(
        path=f"{_API}/gatewayresponses/[response_type]",
        names=(("response_type", "response_type"),),
        links=_changeable("gatewayresponse") | {"gatewayresponse:put": f"{_API}/gatewayresponses/{{response_type}}"},
        only={"gatewayresponse:delete": lambda response: not response.default_response},
    ),
    "DocumentationPart": Kind(
        path=f"{_API}/documentation/parts/[part_id]",
        names=(("part_id", "id"),),
        links=_changeable("documentationpart"),
    ),
    "DocumentationVersion": Kind(
        path=f"{_API}/documentation/versions/[doc_version]",
        names=(("doc_version", "version"),),
        links=_changeable("documentationversion"),
    ),
}
_OF_AN_ACCOUNT = {
    "Account": Kind(path="/account", links={"account:update": "~"}),
    "ApiKey": Kind(
        path="/apikeys/[api_Key]",
        names=(("api_Key", "id"),),
        links=_changeable("apikey") | {"apikey:usageplans": "/usageplans?keyId=[api_Key]"},
    ),
    "UsagePlan": Kind(
        path="/usageplans/[usageplanId]",
        names=(("usageplanId", "id"),),
        links=_changeable("usageplan")
        | {
            "usage:get": "~/usage{?startDate,endDate}",
            "usageplan:usageplankeys": "~/keys",
            "usageplankey:create": "~/keys",
        },
    ),
    "UsagePlanKey": Kind(path="/usageplans/[usageplanId]/keys/[keyId]", names=(("keyId", "id"),)),
    "Usage": Kind(first=True),
    "ClientCertificate": Kind(
        path="/clientcertificates/[clientcertificate_id]",
        names=(("clientcertificate_id", "client_certificate_id"),),
        links=_changeable("clientcertificate"),
    ),
    "DomainName": Kind(
        path=_DOMAIN,
        names=(("domain_name", "domain_name"), ("domainNameId", "domain_name_id")),
        links=_changeable("domainname")
        | {
            "basepathmapping:by-base-path": "~/basepathmappings/{base_path}",
            "basepathmapping:create": "~/basepathmappings",
            "domainname:basepathmappings": "~/basepathmappings{?limit}",
        },
    ),
    "BasePathMapping": Kind(
        path=f"{_DOMAIN}/basepathmappings/[base_path]",
        names=(("base_path", "base_path"),),
        links=_changeable("basepathmapping") | {"basepathmapping:create": f"{_DOMAIN}/basepathmappings"},
    ),
    "DomainNameAccessAssociation": Kind(
        path="/domainnameaccessassociations/[arn]", slashes=True, names=(("arn", "domain_name_access_association_arn"),)
    ),
    "VpcLink": Kind(path="/vpclinks/[vpclink_id]", names=(("vpclink_id", "id"),), links=_changeable("vpclink")),
    "SdkType": Kind(path="/sdktypes/[sdktype_id]", names=(("sdktype_id", "id"),)),
    "Tags": Kind(path="/tags/[resource_arn]", links={"tags:tag": "~", "tags:untag": "~{?tagKeys}"}),
}
_LISTS = {
    "RestApis": _list(
        "/restapis",
        "RestApi",
        {
            "restapi:by-id": "~/{restapi_id}",
            "restapi:create": "~",
            "restapi:put": "~/{restapi_id}?failonwarnings=false{&mode}",
        },
    ),
    "Resources": _list(
        f"{_API}/resources",
        "Resource",
        {"resource:by-id": "~/{resource_id}{?embed}", "resource:create": "~/{parent_id}"},
    ),
    "Deployments": _list(
        f"{_API}/deployments",
        "Deployment",
        {"deployment:by-id": "~/{deployment_id}{?embed}", "deployment:create": "~"},
    ),
    "Stages": _list(f"{_API}/stages", "Stage", {"stage:by-name": "~/{stage_name}", "stage:create": "~"}, items="item"),
    "Models": _list(f"{_API}/models", "Model", {"model:by-name": "~/{model_name}?flatten=false"}),
    "RequestValidators": _list(
        f"{_API}/requestvalidators",
        "RequestValidator",
        {"requestvalidator:by-id": "~/{requestvalidator_id}", "requestvalidator:create": "~"},
    ),
    "Authorizers": _list(
        f"{_API}/authorizers",
        "Authorizer",
        {"authorizer:by-id": "~/{authorizer_id}", "authorizer:create": "~"},
    ),
    "GatewayResponses": _list(
        f"{_API}/gatewayresponses", "GatewayResponse", {"gatewayresponse:by-type": "~/{response_type}"}, first=True
    ),
    "DocumentationParts": _list(
        f"{_API}/documentation/parts",
        "DocumentationPart",
        {
            "documentationpart:by-id": "~/{part_id}",
            "documentationpart:create": "~",
            "documentationpart:import": "~?failonwarnings=false{&mode}",
        },
    ),
    "DocumentationVersions": _list(
        f"{_API}/documentation/versions",
        "DocumentationVersion",
        {"documentationversion:by-version": "~/{doc_version}", "documentationversion:create": "~"},
    ),
    "ApiKeys": _list(
        "/apikeys",
        "ApiKey",
        {"apikey:by-key": "~/{api_Key}", "apikey:create": "~", "apikey:delete": "~/{api_Key}"},
    ),
    "UsagePlans": _list("/usageplans", "UsagePlan", {"usageplan:by-id": "~/{usageplanId}", "usageplan:create": "~"}),
    "UsagePlanKeys": _list("/usageplans/[usageplanId]/keys", "UsagePlanKey", {}),
    "ClientCertificates": _list(
        "/clientcertificates",
        "ClientCertificate",
        {"clientcertificate:by-id": "~/{clientcertificate_id}", "clientcertificate:generate": "~"},
    ),
    "DomainNames": _list(
        "/domainnames",
        "DomainName",
        {"domainname:by-name": "~/{domain_name}{?domainNameId}", "domainname:create": "~"},
    ),
    "BasePathMappings": _list(
        f"{_DOMAIN}/basepathmappings",
        "BasePathMapping",
        {"basepathmapping:by-path": "~/{base_path}", "basepathmapping:create": "~"},
    ),
    "DomainNameAccessAssociations": _list(
        "/domainnameaccessassociations", "DomainNameAccessAssociation", {"domainnameaccessassociation:create": "~"}
    ),
    "VpcLinks": _list("/vpclinks", "VpcLink", {"vpclink:by-id": "~/{vpclink_id}", "vpclink:create": "~"}),
    "SdkTypes": _list("/sdktypes", "SdkType", {"sdktype:by-id": "~/{sdktype_id}"}),
}

KINDS: Final[Mapping[str, Kind]] = {
    "ApiGateway": _ENTRY,
    "RestApi": _REST_API,
    "Resource": _RESOURCE,
    **_METHODS,
    **_OF_AN_API,
    **_OF_AN_ACCOUNT,
    **_LISTS,
}
"""By the name of the shape. What is not here has a link to itself alone."""
