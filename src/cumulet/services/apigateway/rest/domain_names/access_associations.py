"""Access associations: which VPC endpoints may call a private domain name."""

from __future__ import annotations

from cumulet.api import apigateway as api
from cumulet.kernel.call import Call
from cumulet.kernel.errors import AwsError
from cumulet.kernel.ids import short_id
from cumulet.policy.compiled import Request, compile_policy
from cumulet.policy.document import Grammar, PolicyError
from cumulet.services.apigateway.domains.hosts import key_of
from cumulet.services.apigateway.domains.store import Domain
from cumulet.services.apigateway.errors import bad_request, conflict, not_found
from cumulet.services.apigateway.rest.pages import page
from cumulet.services.apigateway.state import ApiGateway
from cumulet.services.apigateway.tags import check_tags
from cumulet.storage.database import Transaction

_ASSOCIATE = "apigateway:CreateAccessAssociation"
_UNKNOWN = "Invalid domain name identifier specified"


async def create_domain_name_access_association(
    gateway: ApiGateway, call: Call, request: api.CreateDomainNameAccessAssociationRequest
) -> api.DomainNameAccessAssociation:
    check_tags(request.tags, gateway.limits)
    source = request.access_association_source
    if not source.startswith("vpce-"):
        raise bad_request(f"Invalid access association source specified: {source}")
    name = _domain(request.domain_name_arn)
    arn = f"arn:aws:apigateway:{call.region}:{call.account}:/domainnameaccessassociations/domainname/{name}/vpcesource/{source}"
    association = api.DomainNameAccessAssociation(
        domain_name_access_association_arn=f"{arn}+{short_id()}" if "+" not in name else arn,
        domain_name_arn=request.domain_name_arn,
        access_association_source_type=request.access_association_source_type,
        access_association_source=source,
        tags=request.tags or None,
    )
    async with gateway.db.transaction() as tx:
        _check_may(await _need(gateway, request.domain_name_arn, tx), call)
        if await gateway.associations.by_alias(call.account, call.region, f"{name} {source}", tx) is not None:
            raise conflict("A domain name access association already exists for this domain name and VPC endpoint")
        id = association.domain_name_access_association_arn or ""
        await gateway.associations.put(tx, call.account, call.region, id, association, alias=f"{name} {source}")
        gateway.domains.changed(tx)
    return association


async def get_domain_name_access_associations(
    gateway: ApiGateway, call: Call, request: api.GetDomainNameAccessAssociationsRequest
) -> api.DomainNameAccessAssociations:
    found, position = await page(
        lambda after, limit: gateway.associations.page(call.account, call.region, after, limit),
        lambda association: association.domain_name_access_association_arn,
        request.position,
        request.limit,
    )
    return api.DomainNameAccessAssociations(items=found, position=position)


async def delete_domain_name_access_association(
    gateway: ApiGateway, call: Call, request: api.DeleteDomainNameAccessAssociationRequest
) -> None:
    async with gateway.db.transaction() as tx:
        arn = request.domain_name_access_association_arn
        if not await gateway.associations.delete(tx, call.account, call.region, arn):
            raise not_found("Invalid domain name access association identifier specified")
        gateway.domains.changed(tx)


async def reject_domain_name_access_association(
    gateway: ApiGateway, call: Call, request: api.RejectDomainNameAccessAssociationRequest
) -> None:
    """By the domain's owner, whoever's the association is."""
    async with gateway.db.transaction() as tx:
        arn = request.domain_name_access_association_arn
        _, _, _, region, account, *_ = [*arn.split(":", 5), "", "", "", "", ""]
        association = await gateway.associations.get(account, region, arn, tx)
        if association is None or association.domain_name_arn != request.domain_name_arn:
            raise not_found("Invalid domain name access association identifier specified")
        if (await _need(gateway, request.domain_name_arn, tx)).account != call.account:
            raise not_found(_UNKNOWN)
        await gateway.associations.delete(tx, account, region, arn)
        gateway.domains.changed(tx)


async def _need(gateway: ApiGateway, arn: str, tx: Transaction) -> Domain:
    """A private domain, whoever's it is; raises NotFoundException."""
    _, _, _, region, account, *_ = [*arn.split(":", 5), "", "", "", "", ""]
    name, _, id = _domain(arn).partition("+")
    domain = await gateway.domains.store.get(key_of(region, name, id), tx) if id else None
    if domain is None or domain.account != account:
        raise not_found(_UNKNOWN)
    return domain


def _check_may(domain: Domain, call: Call) -> None:
    """Whether the caller's account may have associations with a domain: the owner's may, others by its management policy.

    Raises AccessDeniedException.
    """
    if domain.account == call.account:
        return
    arn = domain.body.domain_name_arn or ""
    try:
        policy = compile_policy(domain.body.management_policy or "", Grammar.RESOURCE)
    except PolicyError:
        policy = None
    asked = Request(call.principal, _ASSOCIATE, arn, _no_key)
    verdict = policy.judge(asked) if policy is not None else None
    if verdict is None or verdict.allowed is None or verdict.denied is not None:
        raise AwsError(
            f"User: {call.principal.arn} is not authorized to perform: {_ASSOCIATE} on resource: {arn}",
            code="AccessDeniedException",
            status=403,
        )


def _no_key(name: str) -> None:
    """Condition keys of such a request."""


def _domain(arn: str) -> str:
    _, found, name = arn.partition(":/domainnames/")
    if not found or not name:
        raise bad_request(f"Invalid domain name ARN specified: {arn}")
    return name
