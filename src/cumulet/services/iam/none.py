"""Listings of what this IAM cannot hold yet, and so has none of: devices and certificates."""

from __future__ import annotations

from cumulet.api import iam as api
from cumulet.kernel.call import Call
from cumulet.services.iam.model import User
from cumulet.services.iam.state import Iam


async def list_mfa_devices(iam: Iam, call: Call, request: api.ListMFADevicesRequest) -> api.ListMFADevicesResponse:
    if request.user_name is not None:
        await iam.view(call).get(User, request.user_name)
    return api.ListMFADevicesResponse(mfa_devices=[], is_truncated=False)


async def list_virtual_mfa_devices(
    iam: Iam, call: Call, request: api.ListVirtualMFADevicesRequest
) -> api.ListVirtualMFADevicesResponse:
    return api.ListVirtualMFADevicesResponse(virtual_mfa_devices=[], is_truncated=False)


async def list_signing_certificates(
    iam: Iam, call: Call, request: api.ListSigningCertificatesRequest
) -> api.ListSigningCertificatesResponse:
    if request.user_name is not None:
        await iam.view(call).get(User, request.user_name)
    return api.ListSigningCertificatesResponse(certificates=[], is_truncated=False)


async def list_server_certificates(
    iam: Iam, call: Call, request: api.ListServerCertificatesRequest
) -> api.ListServerCertificatesResponse:
    return api.ListServerCertificatesResponse(server_certificate_metadata_list=[], is_truncated=False)
