"""Operations on the account itself: alias, password policy, summary."""

from __future__ import annotations

import re

from cumulet.api import iam as api
from cumulet.kernel.call import Call
from cumulet.kernel.ids import unique_id
from cumulet.services.iam.model import (
    Alias,
    Entity,
    Group,
    InstanceProfile,
    OidcProvider,
    PasswordRules,
    Policy,
    Role,
    SamlProvider,
    User,
    invalid,
)
from cumulet.services.iam.state import Iam
from cumulet.services.iam.store import ATTACHED, Change

_ALIAS = re.compile(r"(?!\d{12}$)[a-z0-9](?:(?!--)[a-z0-9-])*[a-z0-9]")
_EVERYONE = "*"


async def create_account_alias(iam: Iam, call: Call, request: api.CreateAccountAliasRequest) -> None:
    alias = request.account_alias
    if not _ALIAS.fullmatch(alias):
        raise invalid(
            f"1 validation error detected: Value '{alias}' at 'accountAlias' failed to satisfy constraint: Member must "
            "satisfy regular expression pattern: (?!\\d{12}$)[a-z0-9](?:(?!--)[a-z0-9-])*[a-z0-9]"
        )
    async with iam.store.change(_EVERYONE) as change:
        there = await change.find(Alias, alias)
        if there is not None:
            raise api.EntityAlreadyExistsException(f"The account alias {alias} already exists.")
        await _remove_alias(change, call.account)
        await change.add(Alias(name=alias, id=f"alias-{call.account}", created=iam.now()))


async def _remove_alias(change: Change, account: str) -> None:
    """An account has one alias: a new one takes the place of the old."""
    old = await change.by_id(Alias, f"alias-{account}")
    if old is not None:
        await change.remove(old)


async def list_account_aliases(
    iam: Iam, call: Call, request: api.ListAccountAliasesRequest
) -> api.ListAccountAliasesResponse:
    alias = await iam.store.view(_EVERYONE).by_id(Alias, f"alias-{call.account}")
    return api.ListAccountAliasesResponse(account_aliases=[alias.name] if alias else [], is_truncated=False)


async def delete_account_alias(iam: Iam, call: Call, request: api.DeleteAccountAliasRequest) -> None:
    async with iam.store.change(_EVERYONE) as change:
        alias = await change.by_id(Alias, f"alias-{call.account}")
        if alias is None or alias.name != request.account_alias:
            raise api.NoSuchEntityException(f"The account alias with name {request.account_alias} cannot be found.")
        await change.remove(alias)


async def update_account_password_policy(iam: Iam, call: Call, request: api.UpdateAccountPasswordPolicyRequest) -> None:
    rules = api.PasswordPolicy(
        minimum_password_length=request.minimum_password_length or 6,
        require_symbols=bool(request.require_symbols),
        require_numbers=bool(request.require_numbers),
        require_uppercase_characters=bool(request.require_uppercase_characters),
        require_lowercase_characters=bool(request.require_lowercase_characters),
        allow_users_to_change_password=bool(request.allow_users_to_change_password),
        expire_passwords=bool(request.max_password_age),
        max_password_age=request.max_password_age,
        password_reuse_prevention=request.password_reuse_prevention,
        hard_expiry=request.hard_expiry,
    )
    async with iam.change(call) as change:
        kept = await change.find(PasswordRules, "")
        if kept is None:
            await change.add(PasswordRules(name="", id=unique_id("RULE"), rules=rules))
        else:
            kept.rules = rules
            await change.put(kept)


async def get_account_password_policy(
    iam: Iam, call: Call, request: api.GetAccountPasswordPolicyRequest
) -> api.GetAccountPasswordPolicyResponse:
    kept = await iam.view(call).find(PasswordRules, "")
    if kept is None:
        raise _no_rules(call)
    return api.GetAccountPasswordPolicyResponse(password_policy=kept.rules)


async def delete_account_password_policy(iam: Iam, call: Call, request: api.DeleteAccountPasswordPolicyRequest) -> None:
    async with iam.change(call) as change:
        kept = await change.find(PasswordRules, "")
        if kept is None:
            raise _no_rules(call)
        await change.remove(kept)


def _no_rules(call: Call) -> api.NoSuchEntityException:
    return api.NoSuchEntityException(f"The Password Policy with domain name {call.account} cannot be found.")


async def get_account_summary(
    iam: Iam, call: Call, request: api.GetAccountSummaryRequest
) -> api.GetAccountSummaryResponse:
    view = iam.view(call)
    counted: dict[str, type[Entity]] = {
        "Users": User,
        "Groups": Group,
        "Roles": Role,
        "Policies": Policy,
        "InstanceProfiles": InstanceProfile,
    }
    counts = {name: await view.count(kind) for name, kind in counted.items()}
    providers = await view.count(OidcProvider) + await view.count(SamlProvider)
    root_keys = await view.keys_of(call.account)
    attached = await view.link_counts(ATTACHED)
    versions = sum(len(policy.versions) for policy in await view.entities(Policy))
    return api.GetAccountSummaryResponse(
        summary_map=counts
        | _QUOTAS
        | {
            "Providers": providers,
            "AccountAccessKeysPresent": int(bool(root_keys)),
            "AccountMFAEnabled": 0,
            "AccountPasswordPresent": 0,
            "AccountSigningCertificatesPresent": 0,
            "AttachedPoliciesInUse": len(attached),
            "MFADevices": 0,
            "MFADevicesInUse": 0,
            "PolicyVersionsInUse": versions,
            "ServerCertificates": 0,
        }
    )


_QUOTAS = {
    "AccessKeysPerUserQuota": 2,
    "AssumeRolePolicySizeQuota": 2048,
    "AttachedPoliciesPerGroupQuota": 10,
    "AttachedPoliciesPerRoleQuota": 10,
    "AttachedPoliciesPerUserQuota": 10,
    "GlobalEndpointTokenVersion": 1,
    "GroupPolicySizeQuota": 5120,
    "GroupsPerUserQuota": 10,
    "GroupsQuota": 300,
    "InstanceProfilesQuota": 1000,
    "PoliciesQuota": 1500,
    "PolicySizeQuota": 6144,
    "PolicyVersionsInUseQuota": 10000,
    "RolePolicySizeQuota": 10240,
    "RolesQuota": 1000,
    "ServerCertificatesQuota": 20,
    "SigningCertificatesPerUserQuota": 2,
    "UserPolicySizeQuota": 2048,
    "UsersQuota": 5000,
    "VersionsPerPolicyQuota": 5,
}
