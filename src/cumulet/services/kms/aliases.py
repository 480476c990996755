"""Aliases: names of keys that can be moved from one key to another."""

from __future__ import annotations

from cumulet.api import kms as api
from cumulet.kernel.call import Call
from cumulet.services.kms import model, names, paging
from cumulet.services.kms.aliases_store import Alias
from cumulet.services.kms.model import Key
from cumulet.services.kms.names import Name
from cumulet.services.kms.state import Kms
from cumulet.services.kms.tags import Invalid

_PAGE = 50
_MOST = 50


def _named(call: Call, alias: str) -> Name:
    """The alias that a request makes or changes; raises ValidationException, or NotAuthorizedException for AWS's own."""
    if not alias.startswith(names.ALIAS):
        raise Invalid(
            'Alias must start with the prefix "alias/". Please see '
            "https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html"
        )
    if alias.startswith(names.AWS_ALIAS):
        raise Reserved("Aliases that begin with alias/aws/ are AWS's own.")
    if ":" in alias or alias == names.ALIAS:
        raise api.InvalidAliasNameException(f"{alias} contains invalid characters for an alias")
    return Name(call.account, call.region, "", alias)


class Reserved(Invalid):
    """A name that AWS keeps for itself."""

    code = "NotAuthorizedException"


async def _target(kms: Kms, call: Call, key_id: str) -> Key:
    if "alias/" in key_id:
        raise Invalid("Aliases must refer to keys. Not aliases")
    key = await kms.key(call, key_id)
    model.check_customers(key)
    model.check_present(key)
    return key


async def create_alias(kms: Kms, call: Call, request: api.CreateAliasRequest) -> None:
    name = _named(call, request.alias_name)
    key = await _target(kms, call, request.target_key_id)
    if len(await kms.aliases.listed(key.account, key.region, key.id, "", _MOST)) >= _MOST:
        raise api.LimitExceededException(f"A key may have {_MOST} aliases at most.")
    now = kms.clock.now()
    if not await kms.aliases.add(Alias(call.account, call.region, name.alias, key.id, now, now)):
        raise api.AlreadyExistsException(f"An alias with the name {name.arn} already exists")


async def update_alias(kms: Kms, call: Call, request: api.UpdateAliasRequest) -> None:
    name = _named(call, request.alias_name)
    key = await _target(kms, call, request.target_key_id)
    target = await kms.aliases.target(name)
    now = kms.clock.now()
    old = await kms.keys.find(call.account, call.region, target) if target else None
    if old is not None and old.usage != key.usage:
        raise Invalid(f"Alias {name.arn} is associated with a key of usage {old.usage}, {key.arn} has {key.usage}.")
    if not await kms.aliases.point(name, key.id, now):
        raise names.not_found(name)


async def delete_alias(kms: Kms, call: Call, request: api.DeleteAliasRequest) -> None:
    name = _named(call, request.alias_name)
    if not await kms.aliases.remove(name):
        raise names.not_found(name)


async def list_aliases(kms: Kms, call: Call, request: api.ListAliasesRequest) -> api.ListAliasesResponse:
    target = (await kms.key(call, request.key_id)).id if request.key_id else ""
    limit = request.limit or _PAGE
    after = paging.after(request.marker)
    found = await kms.aliases.listed(call.account, call.region, target, after, limit + 1)
    shown, marker = paging.page(found, limit, lambda alias: alias.name)
    return api.ListAliasesResponse(
        aliases=[
            api.AliasListEntry(
                alias_name=alias.name,
                alias_arn=alias.arn,
                target_key_id=alias.target,
                creation_date=alias.created,
                last_updated_date=alias.changed,
            )
            for alias in shown
        ],
        truncated=marker is not None,
        next_marker=marker,
    )
