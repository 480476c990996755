"""Names and ARNs of tables as requests give them."""

from __future__ import annotations

import re

from cumulet.kernel.arn import Arn
from cumulet.kernel.call import Call
from cumulet.kernel.errors import AwsError
from cumulet.services.dynamodb.errors import invalid

_NAME = re.compile(r"[a-zA-Z0-9_.-]+")
Place = tuple[str, str, str]
"""Account, region and name."""


def place(call: Call, given: str, member: str = "TableName", *, of_items: bool = False) -> Place:
    """Where the table is that a request names, by its name or its ARN. Raises ValidationException, which operations on
    items word as for any other member."""
    if given.startswith("arn:"):
        try:
            arn = Arn.parse(given)
        except ValueError:
            arn = None
        if arn is None or arn.service != "dynamodb" or not arn.resource.startswith("table/"):
            raise invalid(f"Invalid table/index name: {given} is not the ARN of a table")
        return arn.account or call.account, arn.region or call.region, arn.resource.split("/")[1]
    if of_items and not 3 <= len(given) <= 255:
        bound = "greater than or equal to 3" if len(given) < 3 else "less than or equal to 255"
        raise _unfit(given, "tableName", f"Member must have length {bound}")
    check_name(given, member)
    return call.account, call.region, given


def arn(place: Place) -> str:
    """The ARN of the table there."""
    account, region, name = place
    return str(Arn("dynamodb", region, account, f"table/{name}"))


def check_new_name(name: str) -> None:
    """The rules on the name of a table that is made, in the words that CreateTable has for them. Raises ValidationException."""
    if not name.startswith("arn:") and not 3 <= len(name) <= 255:
        bound = "greater than or equal to 3" if len(name) < 3 else "less than or equal to 255"
        raise _unfit(name, "tableName", f"Member must have length {bound}")


def check_name(name: str, member: str = "TableName") -> None:
    """The rules on a table's name. Raises ValidationException."""
    if not 3 <= len(name) <= 255:
        raise invalid(f"{member} must be at least 3 characters long and at most 255 characters long")
    if _NAME.fullmatch(name) is None:
        at = member[0].lower() + member[1:]
        raise _unfit(name, at, f"Member must satisfy regular expression pattern: {_NAME.pattern}")


def _unfit(value: str, at: str, reason: str) -> AwsError:
    return invalid(f"1 validation error detected: Value '{value}' at '{at}' failed to satisfy constraint: {reason}")
