"""Operations on OpenID Connect and SAML identity providers."""

from __future__ import annotations

import re

from cumulet.api import iam as api
from cumulet.kernel.call import Call
from cumulet.kernel.ids import unique_id
from cumulet.services.iam.model import OidcProvider, SamlProvider, invalid, merged_tags, wire_tags
from cumulet.services.iam.state import Iam

_URL = re.compile(r"https://[^\s/?#]+(/[^\s?#]*)?")
_THUMBPRINT = re.compile(r"[0-9A-Fa-f]{40}")
_YEAR = 365 * 86_400
_MAX_CLIENTS = 100
_MAX_THUMBPRINTS = 5


def provider_name(arn: str) -> str:
    """What follows the kind in a provider's ARN; raises ValidationError."""
    _, found, name = arn.partition("-provider/")
    if not found:
        raise invalid("Invalid ARN:  Could not be parsed!")
    return name


def _missing(kind: str, arn: str) -> api.NoSuchEntityException:
    if kind == "oidc":
        return api.NoSuchEntityException(f"OpenIDConnect Provider not found for arn {arn}")
    return api.NoSuchEntityException(f"Manifest not found for arn {arn}")


async def create_open_id_connect_provider(
    iam: Iam, call: Call, request: api.CreateOpenIDConnectProviderRequest
) -> api.CreateOpenIDConnectProviderResponse:
    if not _URL.fullmatch(request.url):
        raise invalid("Invalid Open ID Connect Provider URL")
    provider = OidcProvider(
        name=request.url.removeprefix("https://").rstrip("/"),
        id=unique_id("OIDC"),
        created=iam.now(),
        tags=merged_tags({}, request.tags),
        clients=list(dict.fromkeys(request.client_id_list or ())),
        thumbprints=_thumbprints(request.thumbprint_list or []),
    )
    if len(provider.clients) > _MAX_CLIENTS:
        raise api.LimitExceededException("Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: 100")
    async with iam.change(call) as change:
        if await change.find(OidcProvider, provider.name) is not None:
            raise api.EntityAlreadyExistsException(f"Provider with url {request.url} already exists.")
        await change.add(provider)
    return api.CreateOpenIDConnectProviderResponse(
        open_id_connect_provider_arn=provider.arn(call.account), tags=wire_tags(provider.tags) or None
    )


def _thumbprints(given: list[str]) -> list[str]:
    if len(given) > _MAX_THUMBPRINTS:
        raise api.InvalidInputException("Thumbprint list must contain fewer than 5 entries.")
    if not all(_THUMBPRINT.fullmatch(thumbprint) for thumbprint in given):
        raise invalid("Invalid thumbprint")
    return given


async def get_open_id_connect_provider(
    iam: Iam, call: Call, request: api.GetOpenIDConnectProviderRequest
) -> api.GetOpenIDConnectProviderResponse:
    arn = request.open_id_connect_provider_arn
    provider = await iam.view(call).find(OidcProvider, provider_name(arn))
    if provider is None:
        raise _missing("oidc", arn)
    return api.GetOpenIDConnectProviderResponse(
        url=provider.name,
        client_id_list=provider.clients,
        thumbprint_list=provider.thumbprints,
        create_date=provider.created,
        tags=wire_tags(provider.tags),
    )


async def list_open_id_connect_providers(
    iam: Iam, call: Call, request: api.ListOpenIDConnectProvidersRequest
) -> api.ListOpenIDConnectProvidersResponse:
    providers = await iam.view(call).entities(OidcProvider)
    return api.ListOpenIDConnectProvidersResponse(
        open_id_connect_provider_list=[
            api.OpenIDConnectProviderListEntry(arn=provider.arn(call.account)) for provider in providers
        ]
    )


async def delete_open_id_connect_provider(
    iam: Iam, call: Call, request: api.DeleteOpenIDConnectProviderRequest
) -> None:
    async with iam.change(call) as change:
        provider = await change.find(OidcProvider, provider_name(request.open_id_connect_provider_arn))
        if provider is not None:  # AWS: deleting a provider that is not there does nothing
            await change.remove(provider)


async def add_client_id_to_open_id_connect_provider(
    iam: Iam, call: Call, request: api.AddClientIDToOpenIDConnectProviderRequest
) -> None:
    async with iam.edit(call, OidcProvider, provider_name(request.open_id_connect_provider_arn)) as provider:
        if request.client_id not in provider.clients:
            provider.clients.append(request.client_id)


async def remove_client_id_from_open_id_connect_provider(
    iam: Iam, call: Call, request: api.RemoveClientIDFromOpenIDConnectProviderRequest
) -> None:
    async with iam.edit(call, OidcProvider, provider_name(request.open_id_connect_provider_arn)) as provider:
        if request.client_id in provider.clients:
            provider.clients.remove(request.client_id)


async def update_open_id_connect_provider_thumbprint(
    iam: Iam, call: Call, request: api.UpdateOpenIDConnectProviderThumbprintRequest
) -> None:
    async with iam.edit(call, OidcProvider, provider_name(request.open_id_connect_provider_arn)) as provider:
        provider.thumbprints = _thumbprints(request.thumbprint_list)


async def create_saml_provider(
    iam: Iam, call: Call, request: api.CreateSAMLProviderRequest
) -> api.CreateSAMLProviderResponse:
    now = iam.now()
    provider = SamlProvider(
        name=request.name,
        id=unique_id("SAML"),
        created=now,
        tags=merged_tags({}, request.tags),
        metadata=_metadata(request.saml_metadata_document),
        valid_until=now + 100 * _YEAR,
    )
    async with iam.change(call) as change:
        await change.add(provider)
    return api.CreateSAMLProviderResponse(
        saml_provider_arn=provider.arn(call.account), tags=wire_tags(provider.tags) or None
    )


def _metadata(document: str) -> str:
    """SAML metadata that names an entity; raises InvalidInput."""
    from xml.etree import ElementTree as ET  # noqa: PLC0415  few nodes have SAML providers

    if "<!" not in document:  # no declarations: nothing to expand
        try:
            root = ET.fromstring(document)  # noqa: S314  declarations are refused above
        except ET.ParseError:
            root = None
        if root is not None and root.tag.endswith("EntityDescriptor"):
            return document
    raise api.InvalidInputException("Could not parse metadata")


async def get_saml_provider(iam: Iam, call: Call, request: api.GetSAMLProviderRequest) -> api.GetSAMLProviderResponse:
    arn = request.saml_provider_arn
    provider = await iam.view(call).find(SamlProvider, provider_name(arn))
    if provider is None:
        raise _missing("saml", arn)
    return api.GetSAMLProviderResponse(
        saml_metadata_document=provider.metadata,
        create_date=provider.created,
        valid_until=provider.valid_until,
        tags=wire_tags(provider.tags),
    )


async def list_saml_providers(
    iam: Iam, call: Call, request: api.ListSAMLProvidersRequest
) -> api.ListSAMLProvidersResponse:
    return api.ListSAMLProvidersResponse(
        saml_provider_list=[
            api.SAMLProviderListEntry(
                arn=provider.arn(call.account), valid_until=provider.valid_until, create_date=provider.created
            )
            for provider in await iam.view(call).entities(SamlProvider)
        ]
    )


async def update_saml_provider(
    iam: Iam, call: Call, request: api.UpdateSAMLProviderRequest
) -> api.UpdateSAMLProviderResponse:
    async with iam.edit(call, SamlProvider, provider_name(request.saml_provider_arn)) as provider:
        if request.saml_metadata_document is not None:
            provider.metadata = _metadata(request.saml_metadata_document)
    return api.UpdateSAMLProviderResponse(saml_provider_arn=request.saml_provider_arn)


async def delete_saml_provider(iam: Iam, call: Call, request: api.DeleteSAMLProviderRequest) -> None:
    async with iam.change(call) as change:
        provider = await change.find(SamlProvider, provider_name(request.saml_provider_arn))
        if provider is None:
            raise _missing("saml", request.saml_provider_arn)
        await change.remove(provider)
