"""The grammar of policies: JSON text to a checked `Document`.

AWS's grammar: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
"""

import re
from enum import Enum
from typing import Any

import msgspec
from msgspec import Struct

OLD_VERSION = "2008-10-17"
VERSION = "2012-10-17"

_TOP = {"Version", "Id", "Statement"}
_FIELDS = {
    "Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition",
}  # fmt: skip
_SID = re.compile(r"[0-9A-Za-z]*")
_ACTION = re.compile(r"[A-Za-z0-9-]+:[A-Za-z0-9*?]+")
_PRINCIPAL_KINDS = {"AWS", "Service", "Federated", "CanonicalUser"}
_SURROGATE = re.compile(r"[\ud800-\udfff]")

SYNTAX = "Syntax errors in policy."


class PolicyError(Exception):
    """The text is not a policy of this grammar; the message is IAM's."""


class Grammar(Enum):
    """Which of the policy grammars a document follows: what it is attached to decides."""

    IDENTITY = "identity"
    RESOURCE = "resource"
    TRUST = "trust"


class Statement(Struct, frozen=True):
    """One statement, with scalars made lists. `principals` maps a kind (`AWS`, `Service`, ...) to its values."""

    allow: bool
    sid: str = ""
    actions: tuple[str, ...] | None = None
    not_actions: tuple[str, ...] | None = None
    resources: tuple[str, ...] | None = None
    not_resources: tuple[str, ...] | None = None
    principals: dict[str, tuple[str, ...]] | None = None
    not_principals: dict[str, tuple[str, ...]] | None = None
    conditions: dict[str, dict[str, tuple[str, ...]]] = {}


class Document(Struct, frozen=True):
    version: str
    statements: tuple[Statement, ...]
    id: str = ""


def parse(text: str, grammar: Grammar) -> Document:
    """Read a policy; raises PolicyError. Checks structure only: `check.py` has what IAM demands beyond it."""
    try:
        raw = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        raise PolicyError("This policy contains invalid Json") from None
    if not isinstance(raw, dict) or _SURROGATE.search(text):
        raise PolicyError(SYNTAX)
    _known(raw, _TOP, grammar)
    version = raw.get("Version", OLD_VERSION)
    if version not in (VERSION, OLD_VERSION):
        raise PolicyError("Policy document must be version 2012-10-17 or greater." if _text(version) else SYNTAX)
    statements = raw.get("Statement")
    if isinstance(statements, dict):
        statements = [statements]
    if not isinstance(statements, list) or not statements:
        raise PolicyError("Could not parse the policy: Statement is empty!" if grammar is Grammar.TRUST else SYNTAX)
    document = Document(version, tuple(_statement(item, grammar) for item in statements), str(raw.get("Id", "")))
    sids = [statement.sid for statement in document.statements if statement.sid]
    if len(set(sids)) < len(sids):
        raise PolicyError("Statement IDs (SID) in a single policy must be unique.")
    return document


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _known(raw: dict[str, Any], names: set[str], grammar: Grammar) -> None:
    for name in raw:
        if name not in names:
            raise PolicyError(f"Unknown field {name}" if grammar is Grammar.TRUST else SYNTAX)


def _statement(raw: Any, grammar: Grammar) -> Statement:
    if not isinstance(raw, dict):
        raise PolicyError(SYNTAX)
    _known(raw, _FIELDS, grammar)
    for one, other in (("Action", "NotAction"), ("Resource", "NotResource"), ("Principal", "NotPrincipal")):
        if one in raw and other in raw:
            raise PolicyError(SYNTAX)
    effect, sid = raw.get("Effect"), raw.get("Sid", "")
    if effect not in ("Allow", "Deny") or not _text(sid):
        raise PolicyError(f"Invalid effect: {effect}" if grammar is Grammar.TRUST and _text(effect) else SYNTAX)
    if grammar is not Grammar.RESOURCE and not _SID.fullmatch(sid):
        raise PolicyError(
            "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*"
        )
    return Statement(
        allow=effect == "Allow",
        sid=sid,
        actions=_actions(raw, "Action", grammar),
        not_actions=_actions(raw, "NotAction", grammar),
        resources=_strings(raw["Resource"]) if "Resource" in raw else None,
        not_resources=_strings(raw["NotResource"]) if "NotResource" in raw else None,
        principals=_principals(raw["Principal"]) if "Principal" in raw else None,
        not_principals=_principals(raw["NotPrincipal"]) if "NotPrincipal" in raw else None,
        conditions=_conditions(raw.get("Condition", {})),
    )


def _actions(raw: dict[str, Any], name: str, grammar: Grammar) -> tuple[str, ...] | None:
    if name not in raw:
        return None
    actions = _strings(raw[name])
    if grammar is Grammar.RESOURCE:
        return actions
    for action in actions:
        if action != "*" and not _ACTION.fullmatch(action):
            raise PolicyError(_bad_action(action))
    return actions


def _bad_action(action: str) -> str:
    vendor, colon, _ = action.partition(":")
    if not colon:
        return "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
    if not re.fullmatch(r"[A-Za-z0-9-]*", vendor):
        return f"Vendor {vendor} is not valid"
    if action.count(":") > 1:
        return "Actions/Condition can contain only one colon."
    return SYNTAX


def _strings(value: Any) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value]
    if not all(isinstance(item, str) for item in values):
        raise PolicyError(SYNTAX)
    return tuple(values)


def _principals(value: Any) -> dict[str, tuple[str, ...]]:
    if value == "*":
        return {"*": ("*",)}
    if not isinstance(value, dict) or not value:
        raise PolicyError("Invalid principal in policy")
    for kind in value:
        if kind not in _PRINCIPAL_KINDS:
            raise PolicyError("Invalid principal in policy")
    return {kind: _strings(item) for kind, item in value.items()}


def _conditions(value: Any) -> dict[str, dict[str, tuple[str, ...]]]:
    if not isinstance(value, dict):
        raise PolicyError(SYNTAX)
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    for operator, block in value.items():
        if not isinstance(block, dict):
            raise PolicyError(SYNTAX)
        found[operator] = {key: _condition_values(item) for key, item in block.items()}
    return found


def _condition_values(value: Any) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value]
    texts = []
    for item in values:
        if isinstance(item, bool):
            texts.append("true" if item else "false")
        elif isinstance(item, str | int | float):
            texts.append(str(item))
        else:
            raise PolicyError(SYNTAX)
    return tuple(texts)
