"""Operations on custom domain names, as the API of REST APIs has them."""

from __future__ import annotations

import math

from msgspec.structs import replace

from cumulet.api import apigateway as api
from cumulet.kernel.call import Call
from cumulet.kernel.ids import short_id
from cumulet.services.apigateway.domains import model, truststores
from cumulet.services.apigateway.domains.hosts import key_of
from cumulet.services.apigateway.domains.store import Domain
from cumulet.services.apigateway.errors import bad_request, limit_exceeded, not_found
from cumulet.services.apigateway.rest.domain_names import rules
from cumulet.services.apigateway.rest.pages import page
from cumulet.services.apigateway.state import ApiGateway
from cumulet.services.apigateway.tags import check_tags
from cumulet.storage.database import Transaction


async def create_domain_name(gateway: ApiGateway, call: Call, request: api.CreateDomainNameRequest) -> api.DomainName:
    name = model.check_name(request.domain_name)
    check_tags(request.tags, gateway.limits)
    configuration = rules.endpoint(request.endpoint_configuration)
    private = configuration.types == ["PRIVATE"]
    id = short_id() if private else ""
    domain = api.DomainName(
        domain_name=request.domain_name,
        domain_name_id=id or None,
        domain_name_arn=model.arn(call.region, call.account, name, id),
        certificate_name=request.certificate_name,
        certificate_arn=request.certificate_arn,
        regional_certificate_name=request.regional_certificate_name,
        regional_certificate_arn=request.regional_certificate_arn,
        certificate_upload_date=float(math.floor(gateway.clock.now())),
        endpoint_configuration=configuration,
        domain_name_status="AVAILABLE",
        security_policy=request.security_policy or "TLS_1_2",
        endpoint_access_mode=request.endpoint_access_mode,
        ownership_verification_certificate_arn=request.ownership_verification_certificate_arn,
        policy=request.policy,
        routing_mode=request.routing_mode or "BASE_PATH_MAPPING_ONLY",
        tags=request.tags or None,
    )
    if (trust := request.mutual_tls_authentication) is not None:
        domain.mutual_tls_authentication = api.MutualTlsAuthentication(
            truststore_uri=trust.truststore_uri, truststore_version=trust.truststore_version
        )
    rules.check(domain)
    model.addresses(domain, call.region)
    truststore = await _truststore(gateway, call, domain)
    async with gateway.db.transaction() as tx:
        there = await gateway.domains.store.named(name, tx)
        if not private and any(not other.key.id and other.key.region == call.region for other in there):
            raise bad_request("The domain name you provided already exists.")
        most = gateway.limits.private_domain_names if private else gateway.limits.domain_names
        if await gateway.domains.store.count(call.account, call.region, tx, private=private) >= most:
            raise limit_exceeded(
                "Maximum number of domain names for this account has been reached. Please contact AWS if you need more."
            )
        key = key_of(call.region, name, id)
        await gateway.domains.store.put(tx, Domain(call.account, key, domain))
        if truststore:
            await gateway.domains.store.put_truststore(tx, key, truststore)
        gateway.domains.changed(tx)
    return domain


async def get_domain_name(gateway: ApiGateway, call: Call, request: api.GetDomainNameRequest) -> api.DomainName:
    return (await need_domain(gateway, call, request.domain_name, request.domain_name_id)).body


async def get_domain_names(gateway: ApiGateway, call: Call, request: api.GetDomainNamesRequest) -> api.DomainNames:
    found, position = await page(
        lambda after, limit: gateway.domains.store.page(call.account, call.region, after, limit),
        lambda domain: f"{domain.key.name}/{domain.key.id}",
        request.position,
        request.limit,
    )
    return api.DomainNames(items=[domain.body for domain in found], position=position)


async def update_domain_name(gateway: ApiGateway, call: Call, request: api.UpdateDomainNameRequest) -> api.DomainName:
    read = await _read_again(gateway, call, request)
    async with gateway.db.transaction() as tx:
        domain = await need_domain(gateway, call, request.domain_name, request.domain_name_id, tx)
        rules.RULES.apply(domain.body, request.patch_operations)
        rules.check(domain.body)
        model.addresses(domain.body, call.region)
        if read is not None and domain.body.mutual_tls_authentication is not None:
            trust, truststore = read
            if not truststores.same(domain.body.mutual_tls_authentication, trust):
                raise api.ConflictException("The truststore of this domain name was changed by another request.")
            domain.body.mutual_tls_authentication = trust
            await gateway.domains.store.put_truststore(tx, domain.key, truststore)
        await gateway.domains.store.put(tx, domain)
        gateway.domains.changed(tx)
    return domain.body if domain.body.tags is not None else replace(domain.body, tags={})


async def _read_again(
    gateway: ApiGateway, call: Call, request: api.UpdateDomainNameRequest
) -> tuple[api.MutualTlsAuthentication, str] | None:
    """What a domain trusts when a request has changed it: read before the transaction, as it is in S3. None when it changes nothing
    of that.
    """
    changes = request.patch_operations or []
    if not any((change.path or "").startswith("/mutualTlsAuthentication") for change in changes):
        return None
    body = (await need_domain(gateway, call, request.domain_name, request.domain_name_id)).body
    rules.RULES.apply(body, changes)
    rules.check(body)
    truststore = await _truststore(gateway, call, body)
    trust = body.mutual_tls_authentication
    return None if trust is None else (trust, truststore)


async def _truststore(gateway: ApiGateway, call: Call, domain: api.DomainName) -> str:
    """Raises BadRequestException."""
    try:
        return await truststores.read(gateway.calls, call, domain, gateway.clock.now())
    except truststores.BadTruststore as error:
        raise bad_request(str(error)) from error


async def delete_domain_name(gateway: ApiGateway, call: Call, request: api.DeleteDomainNameRequest) -> None:
    async with gateway.db.transaction() as tx:
        domain = await need_domain(gateway, call, request.domain_name, request.domain_name_id, tx)
        await gateway.domains.store.delete(tx, domain.key)
        gateway.domains.changed(tx)


async def need_domain(
    gateway: ApiGateway, call: Call, name: str, id: str | None, within: Transaction | None = None
) -> Domain:
    """The caller's domain; raises NotFoundException."""
    domain = await gateway.domains.store.get(key_of(call.region, name, id), within)
    if domain is None or domain.account != call.account:
        raise not_found("Invalid domain name identifier specified")
    return domain
