"""Access associations: which VPC endpoints may call a private domain name."""

from __future__ import annotations

from cumulet.api import apigateway as api
from cumulet.kernel.call import Call
from cumulet.kernel.ids import short_id
from cumulet.services.apigateway.errors import bad_request, conflict, not_found
from cumulet.services.apigateway.rest.pages import page
from cumulet.services.apigateway.state import ApiGateway
from cumulet.services.apigateway.tags import check_tags


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
        if await gateway.associations.by_alias(call.account, call.region, f"{name} {source}", tx) is not None:
            raise conflict("A domain name access association already exists for this domain name and VPC endpoint")
        id = association.domain_name_access_association_arn or ""
        await gateway.associations.put(tx, call.account, call.region, id, association, alias=f"{name} {source}")
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


async def reject_domain_name_access_association(
    gateway: ApiGateway, call: Call, request: api.RejectDomainNameAccessAssociationRequest
) -> None:
    """By the domain's owner. Associations of other accounts are not there: VPC endpoints are not, beyond their names."""
    async with gateway.db.transaction() as tx:
        arn = request.domain_name_access_association_arn
        association = await gateway.associations.get(call.account, call.region, arn, tx)
        if association is None or association.domain_name_arn != request.domain_name_arn:
            raise not_found("Invalid domain name access association identifier specified")
        await gateway.associations.delete(tx, call.account, call.region, arn)


def _domain(arn: str) -> str:
    _, found, name = arn.partition(":/domainnames/")
    if not found or not name:
        raise bad_request(f"Invalid domain name ARN specified: {arn}")
    return name
