"""Condition keys of policies that only KMS can tell.

https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from cumulet.kernel.arn import Arn
from cumulet.kernel.call import Call
from cumulet.policy import ciphertexts
from cumulet.services.kms.model import Key
from cumulet.services.kms.state import Kms

Values = tuple[str, ...]

_MEMBERS = {
    "kms:encryptionalgorithm": "encryption_algorithm",
    "kms:signingalgorithm": "signing_algorithm",
    "kms:macalgorithm": "mac_algorithm",
    "kms:messagetype": "message_type",
    "kms:keyagreementalgorithm": "key_agreement_algorithm",
    "kms:datakeypairspec": "key_pair_spec",
    "kms:wrappingalgorithm": "wrapping_algorithm",
    "kms:wrappingkeyspec": "wrapping_key_spec",
    "kms:expirationmodel": "expiration_model",
    "kms:grantoperations": "operations",
    "kms:granteeprincipal": "grantee_principal",
    "kms:retiringprincipal": "retiring_principal",
    "kms:replicaregion": "replica_region",
    "kms:primaryregion": "primary_region",
    "kms:schedulekeydeletionpendingwindowindays": "pending_window_in_days",
    "kms:rotationperiodindays": "rotation_period_in_days",
    "kms:bypasspolicylockoutsafetycheck": "bypass_policy_lockout_safety_check",
    "kms:keyspec": "key_spec",
    "kms:keyusage": "key_usage",
    "kms:keyorigin": "origin",
    "kms:multiregion": "multi_region",
}
_CONTEXT = "kms:encryptioncontext:"


def _texts(value: Any) -> Values | None:
    if value is None or value == "":
        return None
    if isinstance(value, list | tuple):
        return tuple(map(str, value)) or None
    return (str(value).lower() if isinstance(value, bool) else str(value),)


async def keys_of(kms: Kms, call: Call, arn: str, request: Struct) -> Callable[[str], Values | None]:
    """What finds a condition key, by its lower-case name, of a request on the key `arn`."""
    key = await _key(kms, arn)
    aliases: list[str] = []
    if key is not None:
        listed = await kms.aliases.listed(key.account, key.region, key.id, "", 100)
        aliases = [alias.name for alias in listed]

    def find(name: str) -> Values | None:
        if name.startswith(_CONTEXT):
            context = {pair.lower(): value for pair, value in _context(request, arn).items()}
            return _texts(context.get(name.removeprefix(_CONTEXT)))
        if (asked := _OF_REQUEST.get(name)) is not None:
            return _texts(asked(call, arn, request))
        if name == "kms:resourcealiases":
            return tuple(aliases) or None
        if key is not None and name in _OF_KEY:
            return _texts(_OF_KEY[name](key))
        return _texts(getattr(request, _MEMBERS[name], None)) if name in _MEMBERS else _tag(key, name)

    return find


_OF_KEY: dict[str, Callable[[Key], object]] = {
    "kms:keyspec": lambda key: key.spec,
    "kms:keyusage": lambda key: key.usage,
    "kms:keyorigin": lambda key: key.origin,
    "kms:multiregion": lambda key: bool(key.multi_region),
    "kms:multiregionkeytype": lambda key: key.multi_region,
}


async def _key(kms: Kms, arn: str) -> Key | None:
    parts = arn.split(":", 5)
    if len(parts) != 6 or not parts[5].startswith("key/"):
        return None
    return await kms.keys.find(parts[4], parts[3], parts[5].removeprefix("key/"))


def _context(request: Any, arn: str) -> dict[str, str]:
    """The encryption context that is for this key: ReEncrypt has two."""
    destination = getattr(request, "destination_key_id", None)
    if destination is None:
        return getattr(request, "encryption_context", None) or {}
    member = "destination" if arn.endswith(destination) else "source"
    return getattr(request, f"{member}_encryption_context", None) or {}


def _via(call: Call) -> str | None:
    """The service that asks on a caller's behalf."""
    if not call.source_arn:
        return None
    try:
        service = Arn.parse(call.source_arn).service
    except ValueError:
        return None
    return f"{service}.{call.region}.amazonaws.com"


def _alias(key_id: str | None) -> str | None:
    start = key_id.find("alias/") if key_id else -1
    return key_id[start:] if key_id and start >= 0 else None


def _retired(request: Any) -> str | None:
    grant = ciphertexts.read_token(getattr(request, "grant_token", None) or "")
    return grant.id if grant else getattr(request, "grant_id", None)


def _tag(key: Key | None, name: str) -> Values | None:
    prefix, _, tag = name.partition("/")
    if key is None or prefix != "aws:resourcetag":
        return None
    return next((_texts(value) for own, value in key.tags.items() if own.lower() == tag), None)


_OF_REQUEST: dict[str, Callable[[Call, str, Any], object]] = {
    "kms:calleraccount": lambda call, arn, request: call.principal.account,
    "kms:encryptioncontextkeys": lambda call, arn, request: tuple(_context(request, arn)),
    "kms:requestalias": lambda call, arn, request: _alias(getattr(request, "key_id", None)),
    "kms:retiredgrant": lambda call, arn, request: _retired(request),
    "kms:viaservice": lambda call, arn, request: _via(call),
}
