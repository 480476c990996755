"""Operations on custom domain names, as this API shows them; REST's shows the same ones."""

from __future__ import annotations

from cumulet.api import apigateway as v1
from cumulet.api import apigatewayv2 as api
from cumulet.kernel.call import Call
from cumulet.services.apigateway.domains import model, truststores
from cumulet.services.apigateway.domains.hosts import key_of
from cumulet.services.apigateway.domains.store import Domain
from cumulet.services.apigateway.http.errors import bad
from cumulet.services.apigateway.http.model import copied, one_of
from cumulet.services.apigateway.http.paging import page
from cumulet.services.apigateway.http.state import HttpApis
from cumulet.services.apigateway.http.tags import check_tags
from cumulet.storage.database import Transaction

_MODES = {
    "API_MAPPING_ONLY": "BASE_PATH_MAPPING_ONLY",
    "ROUTING_RULE_ONLY": "ROUTING_RULE_ONLY",
    "ROUTING_RULE_THEN_API_MAPPING": "ROUTING_RULE_THEN_BASE_PATH_MAPPING",
}
"""This API's names of REST's."""
_SHOWN_MODES = {theirs: ours for ours, theirs in _MODES.items()}


async def create_domain_name(
    http: HttpApis, call: Call, request: api.CreateDomainNameRequest
) -> api.CreateDomainNameResponse:
    name = model.check_name(request.domain_name)
    check_tags(request.tags)
    body = v1.DomainName(
        domain_name=request.domain_name,
        domain_name_arn=model.arn(call.region, call.account, name),
        domain_name_status="AVAILABLE",
        routing_mode=_MODES["API_MAPPING_ONLY"],
        security_policy="TLS_1_2",
        tags=request.tags or None,
    )
    configurations = request.domain_name_configurations or []
    if not configurations:
        raise bad("At least one domain name configuration is required")
    _configure(http, body, configurations, call)
    _apply(body, request.mutual_tls_authentication, request.routing_mode)
    truststore = await _truststore(http, call, body)
    async with http.db.transaction() as tx:
        there = await http.domains.store.named(name, tx)
        if any(not other.key.id and other.key.region == call.region for other in there):
            raise bad("The domain name you provided already exists.")
        if await http.domains.store.count(call.account, call.region, tx) >= http.limits.domain_names:
            raise bad("Maximum number of domain names for this account has been reached.")
        key = key_of(call.region, name, None)
        await http.domains.store.put(tx, Domain(call.account, key, body))
        if truststore:
            await http.domains.store.put_truststore(tx, key, truststore)
        http.domains.changed(tx)
    return copied(api.CreateDomainNameResponse, _shown(body))


async def get_domain_name(http: HttpApis, call: Call, request: api.GetDomainNameRequest) -> api.GetDomainNameResponse:
    return copied(api.GetDomainNameResponse, _shown((await need(http, call, request.domain_name)).body))


async def get_domain_names(
    http: HttpApis, call: Call, request: api.GetDomainNamesRequest
) -> api.GetDomainNamesResponse:
    async def fetch(after: str, limit: int) -> list[api.DomainName]:
        found = await http.domains.store.page(call.account, call.region, after, limit)
        return [_shown(domain.body) for domain in found if not domain.key.id]

    items, token = await page(
        fetch, lambda item: f"{item.domain_name.lower()}/", request.max_results, request.next_token
    )
    return api.GetDomainNamesResponse(items=items, next_token=token)


async def update_domain_name(
    http: HttpApis, call: Call, request: api.UpdateDomainNameRequest
) -> api.UpdateDomainNameResponse:
    read = await _read_again(http, call, request)
    async with http.db.transaction() as tx:
        domain = await need(http, call, request.domain_name, tx)
        if request.domain_name_configurations:
            _configure(http, domain.body, request.domain_name_configurations, call)
        _apply(domain.body, request.mutual_tls_authentication, request.routing_mode)
        if read is not None and domain.body.mutual_tls_authentication is not None:
            trust, truststore = read
            if not truststores.same(domain.body.mutual_tls_authentication, trust):
                raise api.ConflictException("The truststore of this domain name was changed by another request.")
            domain.body.mutual_tls_authentication = trust
            await http.domains.store.put_truststore(tx, domain.key, truststore)
        await http.domains.store.put(tx, domain)
        http.domains.changed(tx)
    return copied(api.UpdateDomainNameResponse, _shown(domain.body))


async def delete_domain_name(http: HttpApis, call: Call, request: api.DeleteDomainNameRequest) -> None:
    async with http.db.transaction() as tx:
        domain = await need(http, call, request.domain_name, tx)
        await http.domains.store.delete(tx, domain.key)
        http.domains.changed(tx)


async def need(
    http: HttpApis, call: Call, name: str, within: Transaction | None = None, id: str | None = None
) -> Domain:
    """The caller's domain; raises NotFoundException. `id` is a private domain's."""
    domain = await http.domains.store.get(key_of(call.region, name, id), within)
    if domain is None or domain.account != call.account:
        raise api.NotFoundException("Invalid domain name identifier specified", fields={"ResourceType": "DomainName"})
    return domain


async def _read_again(
    http: HttpApis, call: Call, request: api.UpdateDomainNameRequest
) -> tuple[v1.MutualTlsAuthentication, str] | None:
    """What a domain trusts when a request has changed it: read before the transaction, as it is in S3. None when it changes nothing
    of that.
    """
    if request.mutual_tls_authentication is None:
        return None
    body = (await need(http, call, request.domain_name)).body
    _apply(body, request.mutual_tls_authentication, None)
    truststore = await _truststore(http, call, body)
    trust = body.mutual_tls_authentication
    return None if trust is None else (trust, truststore)


async def _truststore(http: HttpApis, call: Call, body: v1.DomainName) -> str:
    """Raises BadRequestException."""
    try:
        return await truststores.read(http.calls, call, body, http.clock.now())
    except truststores.BadTruststore as error:
        raise bad(str(error)) from error


def _configure(
    http: HttpApis, body: v1.DomainName, configurations: list[api.DomainNameConfiguration], call: Call
) -> None:
    """Put the configurations in REST's form. Raises BadRequestException."""
    kinds = []
    for one in configurations:
        kind = one.endpoint_type or "REGIONAL"
        one_of("endpoint type", kind, ("REGIONAL", "EDGE"))
        one_of("security policy", one.security_policy, ("TLS_1_0", "TLS_1_2"))
        one_of("ipAddressType", one.ip_address_type, ("ipv4", "dualstack"))
        if not one.certificate_arn and not one.certificate_name:
            raise bad("A certificate ARN is required for a domain name configuration")
        kinds.append(kind)
        body.security_policy = one.security_policy or body.security_policy or "TLS_1_2"
        body.ownership_verification_certificate_arn = one.ownership_verification_certificate_arn
        if kind == "REGIONAL":
            body.regional_certificate_arn, body.regional_certificate_name = one.certificate_arn, one.certificate_name
        else:
            body.certificate_arn, body.certificate_name = one.certificate_arn, one.certificate_name
    addresses = next((one.ip_address_type for one in configurations if one.ip_address_type), None) or "ipv4"
    body.endpoint_configuration = v1.EndpointConfiguration(types=kinds, ip_address_type=addresses)
    body.certificate_upload_date = body.certificate_upload_date or http.clock.now()
    model.addresses(body, call.region)


def _apply(body: v1.DomainName, trust: api.MutualTlsAuthenticationInput | None, mode: str | None) -> None:
    """Settings that are no configuration's. Raises BadRequestException."""
    if mode:
        one_of("routing mode", mode, tuple(_MODES))
        body.routing_mode = _MODES[mode]
    if trust is None:
        return
    if not trust.truststore_uri and not trust.truststore_version:
        body.mutual_tls_authentication = None
        return
    held = body.mutual_tls_authentication or v1.MutualTlsAuthentication()
    held.truststore_uri = trust.truststore_uri or held.truststore_uri
    held.truststore_version = trust.truststore_version or held.truststore_version
    if not (held.truststore_uri or "").startswith("s3://"):
        raise bad("Invalid truststore URI. It must be an S3 location such as s3://bucket/key")
    if body.endpoint_configuration is not None and body.endpoint_configuration.types != ["REGIONAL"]:
        raise bad("Mutual TLS authentication is supported for regional domain names only.")
    body.mutual_tls_authentication = held


def _shown(body: v1.DomainName) -> api.DomainName:
    """A domain as this API shows it: a configuration for each kind of endpoint."""
    configuration = body.endpoint_configuration or v1.EndpointConfiguration(types=["EDGE"])
    shown = []
    for kind in configuration.types or ["EDGE"]:
        edge = kind == "EDGE"
        shown.append(
            api.DomainNameConfiguration(
                api_gateway_domain_name=body.distribution_domain_name if edge else body.regional_domain_name,
                certificate_arn=body.certificate_arn if edge else body.regional_certificate_arn,
                certificate_name=body.certificate_name if edge else body.regional_certificate_name,
                certificate_upload_date=body.certificate_upload_date if edge else None,
                domain_name_status=body.domain_name_status,
                endpoint_type=kind,
                hosted_zone_id=body.distribution_hosted_zone_id if edge else body.regional_hosted_zone_id,
                ip_address_type=configuration.ip_address_type,
                security_policy=body.security_policy,
                ownership_verification_certificate_arn=body.ownership_verification_certificate_arn,
            )
        )
    trust = body.mutual_tls_authentication
    return api.DomainName(
        api_mapping_selection_expression="$request.basepath",
        domain_name=body.domain_name or "",
        domain_name_arn=body.domain_name_arn,
        domain_name_configurations=shown,
        mutual_tls_authentication=copied(api.MutualTlsAuthentication, trust) if trust is not None else None,
        routing_mode=_SHOWN_MODES.get(body.routing_mode or "", "API_MAPPING_ONLY"),
        tags=body.tags or {},
    )
