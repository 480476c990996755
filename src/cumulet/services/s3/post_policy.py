"""The policy of a browser's upload: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html"""

import base64
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from cumulet.kernel.errors import AwsError
from cumulet.services.s3.errors import error
from cumulet.services.s3.state import access_denied

# Fields that a policy need not mention.
_FREE = {"file", "policy", "x-amz-signature", "signature", "awsaccesskeyid", "submit"}


def check(policy: str, fields: Mapping[str, str], bucket: str, now: float) -> tuple[int, int] | None:
    """Check a policy (base 64) against a form's fields, by lower-case name; gives the size limits that it sets, in bytes.

    Raises AccessDenied and InvalidPolicyDocument.
    """
    document = _decoded(policy)
    expiration = document.get("expiration")
    try:
        expired = datetime.fromisoformat(str(expiration)).timestamp() <= now
    except (ValueError, OverflowError):
        raise _invalid("Invalid Policy: Invalid 'expiration' value") from None
    if expired:
        raise access_denied("Invalid according to Policy: Policy expired.")
    conditions = document.get("conditions")
    if not isinstance(conditions, list):
        raise _invalid("Invalid Policy: Missing 'conditions'")
    values = {**fields, "bucket": bucket}
    limits = None
    for condition in conditions:
        found = _check_one(condition, values)
        limits = found or limits
    _check_mentioned(conditions, fields)
    return limits


def _decoded(policy: str) -> dict[str, Any]:
    try:
        document = msgspec.json.decode(base64.b64decode(policy))
    except (ValueError, RecursionError):
        raise _invalid("Invalid Policy: Invalid JSON.") from None
    if not isinstance(document, dict):
        raise _invalid("Invalid Policy: Invalid JSON.")
    return document


def _invalid(message: str) -> AwsError:
    return error(400, "InvalidPolicyDocument", message)


def _check_one(condition: Any, values: Mapping[str, str]) -> tuple[int, int] | None:
    if isinstance(condition, dict):
        if len(condition) != 1:
            raise _invalid(
                "Invalid Policy: Invalid Simple-Condition: Simple-Conditions must have exactly one property specified."
            )
        ((name, value),) = condition.items()
        if values.get(str(name).lower()) != str(value):
            raise _failed(["eq", f"${name}", value])
        return None
    if not isinstance(condition, list) or len(condition) != 3:
        raise _invalid("Invalid Policy: Invalid condition")
    operator, name, value = condition
    kind = str(operator).lower()
    if kind == "content-length-range":
        try:
            return int(name), int(value)
        except (TypeError, ValueError):
            raise _failed(condition) from None
    held = values.get(str(name)[1:].lower()) if str(name).startswith("$") else None
    if held is None or kind not in {"eq", "starts-with"}:
        raise _failed(condition)
    if (kind == "eq" and held != str(value)) or (kind == "starts-with" and not held.startswith(str(value))):
        raise _failed(condition)
    return None


def _failed(condition: list[Any]) -> AwsError:
    shown = "[" + ", ".join(f'"{part}"' for part in condition) + "]"
    return access_denied(f"Invalid according to Policy: Policy Condition failed: {shown}")


def _check_mentioned(conditions: list[Any], fields: Mapping[str, str]) -> None:
    """Every field must be mentioned, so that nobody adds some to a form that was signed without them."""
    mentioned = set()
    for condition in conditions:
        names = condition if isinstance(condition, dict) else [str(condition[1]).removeprefix("$")]
        mentioned |= {str(name).lower() for name in names}
    extra = sorted(
        name for name in fields if name not in mentioned and name not in _FREE and not name.startswith("x-ignore-")
    )
    if extra:
        raise access_denied(f"Invalid according to Policy: Extra input fields: {', '.join(extra)}")


def too_small(size: int, least: int) -> AwsError:
    return error(
        400,
        "EntityTooSmall",
        "Your proposed upload is smaller than the minimum allowed size",
        ProposedSize=str(size),
        MinSizeAllowed=str(least),
    )


def too_large(size: int, most: int) -> AwsError:
    return error(
        400,
        "EntityTooLarge",
        "Your proposed upload exceeds the maximum allowed size",
        ProposedSize=str(size),
        MaxSizeAllowed=str(most),
    )
