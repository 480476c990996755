"""What a REST API may be, and how PATCH changes it."""

from __future__ import annotations

from msgspec.structs import replace

from cumulet.api import apigateway as api
from cumulet.services.apigateway.domains import security
from cumulet.services.apigateway.errors import bad_request
from cumulet.services.apigateway.rest.patch import ANY, REPLACE, Rule, Rules, Step, flag, items, value

MOST_COMPRESSION = 10_485_760
_KINDS = ("REGIONAL", "EDGE", "PRIVATE")
_KEY_SOURCES = ("HEADER", "AUTHORIZER")


def compression(size: int | None) -> int | None:
    """Bytes from which answers are compressed; raises BadRequestException."""
    if size is not None and not 0 <= size <= MOST_COMPRESSION:
        raise bad_request(f"Invalid minimum compression size, must be between 0 and {MOST_COMPRESSION}")
    return size


def endpoint(asked: api.EndpointConfiguration | None) -> api.EndpointConfiguration:
    """The configuration with AWS's defaults; raises BadRequestException."""
    if asked is None:
        return api.EndpointConfiguration(types=["EDGE"], ip_address_type="ipv4")
    if asked.types is not None and not asked.types:
        raise bad_request("REGIONAL Configuration and EDGE Configuration cannot be both DISABLED.")
    types = asked.types or ["EDGE"]
    if len(types) > 1:
        raise bad_request("Cannot create an api with multiple Endpoint Types.")
    private = types == ["PRIVATE"]
    configuration = replace(asked, types=types)
    if configuration.ip_address_type is None:
        configuration.ip_address_type = "dualstack" if private else "ipv4"
    _check_endpoint(configuration)
    return configuration


def is_private(rest_api: api.RestApi) -> bool:
    """Whether it is for VPC endpoints alone."""
    configuration = rest_api.endpoint_configuration
    return configuration is not None and configuration.types == ["PRIVATE"]


def check(rest_api: api.RestApi) -> None:
    """Rules between fields, after a change. Raises BadRequestException."""
    security.check(rest_api.security_policy, rest_api.endpoint_access_mode)
    if rest_api.security_policy is not None:
        rest_api.api_status = "AVAILABLE"
    if rest_api.endpoint_configuration is not None:
        _check_endpoint(rest_api.endpoint_configuration)


def _check_endpoint(configuration: api.EndpointConfiguration) -> None:
    private = configuration.types == ["PRIVATE"]
    if private and configuration.ip_address_type == "ipv4":
        raise bad_request("Only dualstack ipAddressType is supported for Private APIs.")
    if configuration.vpc_endpoint_ids and not private:
        raise bad_request("VPCEndpoint IDs cannot be specified with an API that is not of the PRIVATE type.")


def _compression_of(step: Step) -> int | None:
    if not step.value:
        return None
    return compression(int(step.value) if step.value.isascii() and step.value.isdigit() else -1)


def _name(step: Step) -> str:
    if not step.value:
        raise bad_request("API name must be non-empty")
    return step.value


def _key_source(step: Step) -> str:
    if step.value not in _KEY_SOURCES:
        raise bad_request("Invalid API Key source specified. Valid options are HEADER,AUTHORIZER")
    return step.value


def _configuration(rest_api: api.RestApi) -> api.EndpointConfiguration:
    if rest_api.endpoint_configuration is None:
        rest_api.endpoint_configuration = endpoint(None)
    return rest_api.endpoint_configuration


def _set_kind(rest_api: api.RestApi, step: Step) -> None:
    """The last name may be the type or its place in the list; there is one type at most."""
    if step.op != "replace":
        raise bad_request("Invalid patch operation specified. Must be 'add'|'remove'|'replace'")
    if step.value not in _KINDS:
        raise bad_request(f"Invalid EndpointTypes specified. Valid options are {','.join(_KINDS)}")
    configuration = _configuration(rest_api)
    configuration.types = [step.value]
    if step.value == "PRIVATE":
        configuration.ip_address_type = "dualstack"
    else:
        configuration.vpc_endpoint_ids = None


def _set_address_type(rest_api: api.RestApi, step: Step) -> None:
    if step.value not in ("ipv4", "dualstack"):
        raise bad_request("ipAddressType must be either ipv4 or dualstack.")
    _configuration(rest_api).ip_address_type = step.value


def _set_vpc_endpoint(rest_api: api.RestApi, step: Step) -> None:
    """The list itself is the path, and the value one id of it; a replacement is a whole list."""
    items("vpc_endpoint_ids", by_value=len(step.names) == 2).act(_configuration(rest_api), step)


RULES = Rules(
    {
        "/name": value("name", _name),
        "/description": value("description", ops=("replace", "remove")),
        "/version": value("version", ops=("replace", "remove")),
        "/policy": value("policy", lambda step: step.value or None, ops=("replace", "remove")),
        "/apiKeySource": value("api_key_source", _key_source),
        "/binaryMediaTypes/{}": items("binary_media_types"),
        "/minimumCompressionSize": value("minimum_compression_size", _compression_of),
        "/disableExecuteApiEndpoint": value("disable_execute_api_endpoint", flag),
        "/securityPolicy": value("security_policy"),
        "/endpointAccessMode": value("endpoint_access_mode", lambda step: step.value or None),
        "/endpointConfiguration/types/{}": Rule(ANY, _set_kind),
        "/endpointConfiguration/types": Rule(ANY, _set_kind),
        "/endpointConfiguration/ipAddressType": Rule(REPLACE, _set_address_type),
        "/endpointConfiguration/vpcEndpointIds": Rule(ANY, _set_vpc_endpoint),
        "/endpointConfiguration/vpcEndpointIds/{}": Rule(ANY, _set_vpc_endpoint),
    }
)
