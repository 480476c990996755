"""What a custom domain name may be, and how PATCH changes it."""

from __future__ import annotations

from msgspec.structs import replace

from cumulet.api import apigateway as api
from cumulet.services.apigateway.domains import security
from cumulet.services.apigateway.errors import bad_request
from cumulet.services.apigateway.rest.patch import ANY, Rule, Rules, Step, value

_KINDS = ("EDGE", "REGIONAL", "PRIVATE")
_MODES = ("BASE_PATH_MAPPING_ONLY", "ROUTING_RULE_ONLY", "ROUTING_RULE_THEN_BASE_PATH_MAPPING")


def endpoint(asked: api.EndpointConfiguration | None) -> api.EndpointConfiguration:
    """With AWS's defaults; raises BadRequestException."""
    types = (asked.types if asked is not None else None) or ["EDGE"]
    for kind in types:
        if kind not in _KINDS:
            raise bad_request(f"Invalid EndpointTypes specified. Valid options are {','.join(_KINDS)}")
    private = "PRIVATE" in types
    if private and len(types) > 1:
        raise bad_request("Private domain names cannot have other endpoint types.")
    configuration = replace(asked, types=types) if asked is not None else api.EndpointConfiguration(types=types)
    if configuration.ip_address_type is None:
        configuration.ip_address_type = "dualstack" if private else "ipv4"
    return configuration


def check(domain: api.DomainName) -> None:
    """Rules between fields. Raises BadRequestException."""
    security.check(domain.security_policy, domain.endpoint_access_mode)
    types = domain.endpoint_configuration.types if domain.endpoint_configuration else None
    if domain.mutual_tls_authentication is not None:
        if not (domain.mutual_tls_authentication.truststore_uri or "").startswith("s3://"):
            raise bad_request("Invalid truststore URI. It must be an S3 location such as s3://bucket/key")
        if types != ["REGIONAL"]:
            raise bad_request("Mutual TLS authentication is supported for regional domain names only.")
    if domain.policy and types != ["PRIVATE"]:
        raise bad_request("Policies are supported for private domain names only.")


def _trust(domain: api.DomainName, step: Step) -> None:
    """The store, or a part of it; an empty address takes mutual TLS away."""
    held = domain.mutual_tls_authentication or api.MutualTlsAuthentication()
    name = step.names[-1]
    if name == "truststoreVersion":
        held.truststore_version = step.value if step.op != "remove" else None
    elif step.op == "remove" or not step.value:
        domain.mutual_tls_authentication = None
        return
    else:
        held.truststore_uri = step.value
    domain.mutual_tls_authentication = held


def _kind(domain: api.DomainName, step: Step) -> None:
    configuration = domain.endpoint_configuration or endpoint(None)
    held = configuration.types or []
    kind = step.value or step.names[-1]
    if kind not in _KINDS:
        raise bad_request(f"Invalid EndpointTypes specified. Valid options are {','.join(_KINDS)}")
    if step.op == "remove":
        configuration.types = [each for each in held if each != kind]
    elif step.op == "add":
        configuration.types = [*held, kind] if kind not in held else held
    else:
        configuration.types = [kind]
    if not configuration.types:
        raise bad_request("REGIONAL Configuration and EDGE Configuration cannot be both DISABLED.")
    domain.endpoint_configuration = configuration


def _addresses(domain: api.DomainName, step: Step) -> None:
    if step.value not in ("ipv4", "dualstack"):
        raise bad_request("ipAddressType must be either ipv4 or dualstack.")
    domain.endpoint_configuration = replace(domain.endpoint_configuration or endpoint(None), ip_address_type=step.value)


def _mode(step: Step) -> str:
    if step.value not in _MODES:
        raise bad_request(f"Invalid routing mode specified. Valid options are {','.join(_MODES)}")
    return step.value


RULES = Rules(
    {
        "/certificateName": value("certificate_name"),
        "/certificateArn": value("certificate_arn"),
        "/regionalCertificateName": value("regional_certificate_name"),
        "/regionalCertificateArn": value("regional_certificate_arn"),
        "/ownershipVerificationCertificateArn": value("ownership_verification_certificate_arn"),
        "/securityPolicy": value("security_policy"),
        "/endpointAccessMode": value("endpoint_access_mode", lambda step: step.value or None),
        "/policy": value("policy"),
        "/managementPolicy": value("management_policy"),
        "/routingMode": value("routing_mode", _mode),
        "/endpointConfiguration/types": Rule(ANY, _kind),
        "/endpointConfiguration/types/{}": Rule(ANY, _kind),
        "/endpointConfiguration/ipAddressType": Rule(("replace",), _addresses),
        "/mutualTlsAuthentication": Rule(("remove",), _trust),
        "/mutualTlsAuthentication/truststoreUri": Rule(ANY, _trust),
        "/mutualTlsAuthentication/truststoreVersion": Rule(ANY, _trust),
    },
    listing=True,
)
