"""Operations on service-specific credentials: user names and passwords for services that do not take signatures.

A password is shown once and not kept: none of those services is here, so nothing could check it.
"""

from __future__ import annotations

from cumulet.api import iam as api
from cumulet.kernel.call import Call
from cumulet.kernel.errors import NotImplementedHere
from cumulet.kernel.ids import secret, unique_id
from cumulet.services.iam.model import ServiceCredential, User, over_quota
from cumulet.services.iam.state import Iam, caller_name

_SERVICES = ("codecommit.amazonaws.com", "cassandra.amazonaws.com")
_MAX = 2


async def create_service_specific_credential(
    iam: Iam, call: Call, request: api.CreateServiceSpecificCredentialRequest
) -> api.CreateServiceSpecificCredentialResponse:
    if request.credential_age_days is not None:
        raise NotImplementedHere("CredentialAgeDays (Amazon Bedrock API keys) is not implemented in Cumulet's iam yet.")
    async with iam.change(call) as change:
        user = await change.get(User, request.user_name)
        service = _known(request.service_name)
        same = [credential for credential in user.credentials if credential.service == service]
        if len(same) >= _MAX:
            raise over_quota("ServiceSpecificCredentialsPerUser", _MAX)
        suffix = f"+{len(same)}" if same else ""
        credential = ServiceCredential(
            id=unique_id("ACCA"),
            service=service,
            user_name=f"{user.name}{suffix}-at-{call.account}",
            created=iam.now(),
        )
        user.credentials.append(credential)
        await change.put(user)
    return api.CreateServiceSpecificCredentialResponse(service_specific_credential=_shape(credential, user, secret(44)))


def _known(service: str) -> str:
    if service not in _SERVICES:
        raise api.NoSuchEntityException(f"No such service {service} is supported for Service Specific Credentials")
    return service


async def list_service_specific_credentials(
    iam: Iam, call: Call, request: api.ListServiceSpecificCredentialsRequest
) -> api.ListServiceSpecificCredentialsResponse:
    view = iam.view(call)
    if request.all_users:
        users = await view.entities(User)
    else:
        users = [await view.get(User, request.user_name or caller_name(call))]
    service = _known(request.service_name) if request.service_name is not None else None
    return api.ListServiceSpecificCredentialsResponse(
        service_specific_credentials=[
            api.ServiceSpecificCredentialMetadata(
                user_name=user.name,
                status=credential.status,
                service_user_name=credential.user_name,
                create_date=credential.created,
                service_specific_credential_id=credential.id,
                service_name=credential.service,
            )
            for user in users
            for credential in user.credentials
            if service in (None, credential.service)
        ]
    )


async def update_service_specific_credential(
    iam: Iam, call: Call, request: api.UpdateServiceSpecificCredentialRequest
) -> None:
    async with iam.edit(call, User, request.user_name or caller_name(call)) as user:
        _find(user, request.service_specific_credential_id).status = request.status


async def reset_service_specific_credential(
    iam: Iam, call: Call, request: api.ResetServiceSpecificCredentialRequest
) -> api.ResetServiceSpecificCredentialResponse:
    async with iam.edit(call, User, request.user_name or caller_name(call)) as user:
        credential = _find(user, request.service_specific_credential_id)
    return api.ResetServiceSpecificCredentialResponse(service_specific_credential=_shape(credential, user, secret(44)))


async def delete_service_specific_credential(
    iam: Iam, call: Call, request: api.DeleteServiceSpecificCredentialRequest
) -> None:
    async with iam.edit(call, User, request.user_name or caller_name(call)) as user:
        user.credentials.remove(_find(user, request.service_specific_credential_id))


def _find(user: User, id: str) -> ServiceCredential:
    for credential in user.credentials:
        if credential.id == id:
            return credential
    raise api.NoSuchEntityException(f"No such credential {id} exists")


def _shape(credential: ServiceCredential, user: User, password: str) -> api.ServiceSpecificCredential:
    return api.ServiceSpecificCredential(
        create_date=credential.created,
        service_name=credential.service,
        service_user_name=credential.user_name,
        service_password=password,
        service_specific_credential_id=credential.id,
        user_name=user.name,
        status=credential.status,
    )
