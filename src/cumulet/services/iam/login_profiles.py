"""Operations on console passwords. Kept as salted hashes; there is no console that asks for them yet."""

from __future__ import annotations

import asyncio
import hashlib
import hmac

from cumulet.api import iam as api
from cumulet.kernel.call import Call
from cumulet.kernel.ids import token
from cumulet.services.iam.model import PasswordRules, User
from cumulet.services.iam.state import Iam, caller_name
from cumulet.services.iam.store import View

_COST = {"n": 2**14, "r": 8, "p": 1}


async def _hashed(password: str, salt: str) -> str:
    """Costs some 50 ms by intention, so it has a thread to itself."""
    made = await asyncio.to_thread(hashlib.scrypt, password.encode(), salt=bytes.fromhex(salt), **_COST)
    return f"{salt}:{made.hex()}"


async def _matches(password: str, kept: str) -> bool:
    return hmac.compare_digest(await _hashed(password, kept.partition(":")[0]), kept)


async def create_login_profile(
    iam: Iam, call: Call, request: api.CreateLoginProfileRequest
) -> api.CreateLoginProfileResponse:
    name = request.user_name or caller_name(call)
    password = await _checked(iam.view(call), request.password or "")
    async with iam.edit(call, User, name) as user:
        if user.password:
            raise api.EntityAlreadyExistsException(f"Login Profile for user {user.name} already exists.")
        user.password = password
        user.password_created = iam.now()
        user.password_reset_required = bool(request.password_reset_required)
    return api.CreateLoginProfileResponse(login_profile=_shape(user))


async def get_login_profile(iam: Iam, call: Call, request: api.GetLoginProfileRequest) -> api.GetLoginProfileResponse:
    user = _with_password(await iam.view(call).get(User, request.user_name or caller_name(call)))
    return api.GetLoginProfileResponse(login_profile=_shape(user))


async def update_login_profile(iam: Iam, call: Call, request: api.UpdateLoginProfileRequest) -> None:
    password = await _checked(iam.view(call), request.password) if request.password is not None else None
    async with iam.edit(call, User, request.user_name) as user:
        _with_password(user)
        if password is not None:
            user.password = password
        if request.password_reset_required is not None:
            user.password_reset_required = request.password_reset_required


async def delete_login_profile(iam: Iam, call: Call, request: api.DeleteLoginProfileRequest) -> None:
    async with iam.edit(call, User, request.user_name or caller_name(call)) as user:
        _with_password(user).password = ""


async def change_password(iam: Iam, call: Call, request: api.ChangePasswordRequest) -> None:
    view = iam.view(call)
    user = await view.get(User, caller_name(call))
    kept = user.password
    if not kept or not await _matches(request.old_password, kept):
        raise api.InvalidUserTypeException("The old password was incorrect.")
    password = await _checked(view, request.new_password)
    async with iam.edit(call, User, user.name) as user:
        if user.password != kept:
            raise api.EntityTemporarilyUnmodifiableException("The password was changed meanwhile.")
        user.password = password
        user.password_reset_required = False


def _with_password(user: User) -> User:
    if not user.password:
        raise api.NoSuchEntityException(f"Login Profile for User {user.name} cannot be found.")
    return user


async def _checked(view: View, password: str) -> str:
    """A password that the account's policy lets through, as it is kept; raises PasswordPolicyViolation."""
    kept = await view.find(PasswordRules, "")
    rules = kept.rules if kept is not None else api.PasswordPolicy()
    if len(password) < (rules.minimum_password_length or 8):
        raise api.PasswordPolicyViolationException(
            f"Password should have a minimum length of {rules.minimum_password_length or 8}"
        )
    wanted = (
        (rules.require_numbers, str.isdigit, "Password should have at least one number"),
        (rules.require_uppercase_characters, str.isupper, "Password should have at least one uppercase letter"),
        (rules.require_lowercase_characters, str.islower, "Password should have at least one lowercase letter"),
        (rules.require_symbols, lambda c: not c.isalnum(), "Password should have at least one symbol"),
    )
    for required, has, message in wanted:
        if required and not any(map(has, password)):
            raise api.PasswordPolicyViolationException(message)
    return await _hashed(password, token(16))


def _shape(user: User) -> api.LoginProfile:
    return api.LoginProfile(
        user_name=user.name,
        create_date=user.password_created,
        password_reset_required=user.password_reset_required,
    )
