"""PATCH: operations on the fields of a thing by path, with the rules and the words that AWS has for each kind of thing.

https://docs.aws.amazon.com/apigateway/latest/api/patch-operations.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from cumulet.kernel.errors import AwsError
from cumulet.services.apigateway.errors import bad_request, not_found

if TYPE_CHECKING:
    from cumulet.api import apigateway as api

EACH = "{}"
"""In a pattern: any name."""
REPLACE = ("replace",)
SET = ("add", "replace")
ANY = ("add", "remove", "replace")
_WHOLE = re.compile(r"-?[0-9]{1,10}")
_NUMBER = re.compile(r"-?[0-9]{1,18}(?:\.[0-9]{1,18})?")


class Step(Struct, frozen=True):
    """One operation. `names` are the parts of the path, unescaped; `path` is as it was sent."""

    op: str
    path: str
    names: tuple[str, ...]
    value: str | None
    source: str


class Rule(Struct, frozen=True):
    """What may be done at a path, and what does it: `act(thing, step)`."""

    ops: tuple[str, ...]
    act: Callable[[Any, Step], None]


class Rules(Struct, frozen=True):
    """The rules of one kind of thing, by pattern such as `/requestModels/{}`.

    `listing`: refusals list the paths there are, as those of newer things do; `wrong_op` else has the words for an operation
    that a path does not have, None where such a path counts as unknown.
    """

    table: Mapping[str, Rule]
    listing: bool = False
    wrong_op: str | None = "Invalid patch operation specified. Must be one of: [replace]"

    def apply(self, thing: Any, operations: Iterable[api.PatchOperation] | None) -> list[Step]:
        """Change the thing in place, step by step; gives the steps. Raises BadRequestException, NotFoundException."""
        taken = [read(operation) for operation in operations or ()]
        for step in taken:
            self.rule(step).act(thing, step)
        return taken

    def rule(self, step: Step) -> Rule:
        """The rule for a step; raises BadRequestException."""
        rule = self.table.get("/" + "/".join(step.names))
        if rule is None and len(step.names) > 1:
            rule = self.table.get("/" + "/".join((*step.names[:-1], EACH)))
        if rule is None or step.op not in rule.ops:
            raise self._refusal(step, rule)
        return rule

    def _refusal(self, step: Step, rule: Rule | None) -> AwsError:
        if not self.listing:
            unknown = rule is None or self.wrong_op is None
            return bad_request(f"Invalid patch path {step.path}" if unknown else str(self.wrong_op))
        start = f"Invalid patch path  '{step.path}' specified for op '{step.op}'."
        paths = [path for path, there in self.table.items() if step.op in there.ops]
        if not paths:
            return bad_request(f"{start} Please choose supported operations")
        return bad_request(f"{start} Must be one of: [{', '.join(paths)}]")


def read(operation: api.PatchOperation) -> Step:
    """An operation with its path taken apart; raises BadRequestException when it has none."""
    path = operation.path
    if not path or not path.startswith("/"):
        raise bad_request(f"Invalid patch path {path or 'null'}")
    names = tuple(name.replace("~1", "/").replace("~0", "~") for name in path[1:].split("/"))
    return Step(operation.op or "", path, names, operation.value, operation.from_ or "")


def text(step: Step) -> str:
    """The value as it is."""
    return step.value or ""


def flag(step: Step) -> bool:
    """AWS takes whatever is not `true` for false."""
    return (step.value or "").lower() == "true"


def whole(step: Step) -> int:
    """Raises BadRequestException for what is no integer of 32 bits, in plain digits."""
    found = step.value or ""
    if not _WHOLE.fullmatch(found) or abs(int(found)) >= 1 << 31:
        raise bad_request(f"Invalid integer value {found} for {step.path}")
    return int(found)


def number(step: Step) -> float:
    """Raises BadRequestException for what is no number, and for infinity."""
    found = step.value or ""
    if not _NUMBER.fullmatch(found):
        raise bad_request(f"Invalid number value {found} for {step.path}")
    return float(found)


def value(
    field: str,
    take: Callable[[Step], Any] = text,
    ops: tuple[str, ...] = REPLACE,
    check: Callable[[Any], None] | None = None,
) -> Rule:
    """A single value; `remove` unsets it."""

    def act(thing: Any, step: Step) -> None:
        taken = None if step.op == "remove" else take(step)
        if check is not None and taken is not None:
            check(taken)
        setattr(thing, field, taken)

    return Rule(ops, act)


def entries(
    field: str,
    take: Callable[[Step], Any] = text,
    ops: tuple[str, ...] = ANY,
    missing: Callable[[], AwsError] | None = None,
    empty: Any = None,
    strict: tuple[str, ...] = ("remove", "replace"),
) -> Rule:
    """An entry of a map, by the last name. `missing` is for an entry that is not there and should be, by the operations in `strict`;
    `empty` is what the field becomes without entries.
    """

    def act(thing: Any, step: Step) -> None:
        held: dict[str, Any] = getattr(thing, field) or {}
        name = step.names[-1]
        if step.op in strict and name not in held and missing is not None:
            raise missing()
        if step.op == "remove":
            held.pop(name, None)
        else:
            held[name] = take(step)
        setattr(thing, field, held or empty)

    return Rule(ops, act)


def items(field: str, ops: tuple[str, ...] = ANY, *, by_value: bool = False) -> Rule:
    """An item of a list of texts: the last name is the item, or, with `by_value`, the path is the list and the value the item."""

    def act(thing: Any, step: Step) -> None:
        held: list[str] = getattr(thing, field) or []
        item = (step.value or "") if by_value else step.names[-1]
        if step.op == "replace" and by_value:
            held = [part.strip() for part in item.split(",") if part.strip()]
        elif step.op == "remove" or step.op == "replace":
            held = [other for other in held if other != item]
            if step.op == "replace":
                held.append(step.value or "")
        elif item not in held:
            held.append(item)
        setattr(thing, field, held or None)

    return Rule(ops, act)


def no_parameter() -> AwsError:
    return not_found("Invalid parameter name specified")


def no_content_type() -> AwsError:
    return not_found("Content-Type specified was not found")
