"""Operations on access keys."""

from __future__ import annotations

from cumulet.api import iam as api
from cumulet.kernel.call import Call
from cumulet.kernel.ids import access_key_id, secret
from cumulet.services.iam.model import User, over_quota, page
from cumulet.services.iam.state import Iam, caller_name
from cumulet.services.iam.store import Key, View

MAX_KEYS = 2


async def create_access_key(iam: Iam, call: Call, request: api.CreateAccessKeyRequest) -> api.CreateAccessKeyResponse:
    async with iam.change(call) as change:
        owner, name = await _owner(change, call, request.user_name)
        if len(await change.keys_of(owner)) >= MAX_KEYS:
            raise over_quota("AccessKeysPerUser", MAX_KEYS)
        id, shown = access_key_id("AKIA", call.account), secret(40)
        key = Key(id, call.account, owner, iam.seal.close(shown, id), "Active", iam.now())
        await change.add_key(key)
    return api.CreateAccessKeyResponse(
        access_key=api.AccessKey(
            user_name=name,
            access_key_id=key.access_key,
            status=key.status,
            secret_access_key=shown,
            create_date=key.created,
        )
    )


async def list_access_keys(iam: Iam, call: Call, request: api.ListAccessKeysRequest) -> api.ListAccessKeysResponse:
    view = iam.view(call)
    owner, name = await _owner(view, call, request.user_name)
    keys, marker = page(
        await view.keys_of(owner),
        lambda key: f"{key.created:020d}{key.access_key}",
        request.marker,
        request.max_items,
    )
    return api.ListAccessKeysResponse(
        access_key_metadata=[
            api.AccessKeyMetadata(
                user_name=name, access_key_id=key.access_key, status=key.status, create_date=key.created
            )
            for key in keys
        ],
        is_truncated=marker is not None,
        marker=marker,
    )


async def update_access_key(iam: Iam, call: Call, request: api.UpdateAccessKeyRequest) -> None:
    async with iam.change(call) as change:
        owner, _ = await _owner(change, call, request.user_name)
        if not await change.set_key_status(owner, request.access_key_id, request.status):
            raise _missing(request.access_key_id)


async def delete_access_key(iam: Iam, call: Call, request: api.DeleteAccessKeyRequest) -> None:
    async with iam.change(call) as change:
        owner, _ = await _owner(change, call, request.user_name)
        if not await change.remove_key(owner, request.access_key_id):
            raise _missing(request.access_key_id)


async def get_access_key_last_used(
    iam: Iam, call: Call, request: api.GetAccessKeyLastUsedRequest
) -> api.GetAccessKeyLastUsedResponse:
    key = await iam.store.key(request.access_key_id)
    if key is None or key.account != call.account:
        raise _missing(request.access_key_id)
    user = await iam.view(call).by_id(User, key.owner)
    when, service, region = iam.uses.of_key(key.access_key) or (key.used, key.used_service, key.used_region)
    if not when:
        last_used = api.AccessKeyLastUsed(service_name="N/A", region="N/A")
    else:
        last_used = api.AccessKeyLastUsed(last_used_date=when, service_name=service, region=region)
    return api.GetAccessKeyLastUsedResponse(user_name=user.name if user else None, access_key_last_used=last_used)


async def _owner(view: View, call: Call, name: str | None) -> tuple[str, str]:
    """The unique id and name of whose keys are meant; the root's are its account's."""
    if name is None and call.principal.kind == "root":
        return call.account, ""
    user = await view.get(User, name or caller_name(call))
    return user.id, user.name


def _missing(access_key: str) -> api.NoSuchEntityException:
    return api.NoSuchEntityException(f"The Access Key with id {access_key} cannot be found.")
