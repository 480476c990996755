"""Requests against the constraints of their model, in the words of AWS.

Checks are compiled once a shape. A structure without constraints has no check at all.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any

from msgspec import Struct

from cumulet.api.model import Member, Model, Shape
from cumulet.kernel.errors import AwsError
from cumulet.wire.quirks import Quirks
from cumulet.wire.shapes import ShapeCompiler, getter

Check = Callable[[Any, str, list[str]], None]
NOT_NULL = "Member must not be null"
# Text beyond this, or far beyond what its shape allows anyway, is not held against its pattern: some take squared time.
LONG_TEXT, OVER_LONG = 100_000, 4096
_LIMITS = {"integer": 1 << 31, "long": 1 << 63}
# Classes of Java's regular expressions as Python writes them, inside brackets.
_JAVA_CLASSES = {
    r"\p{L}": "a-zA-Z\u00aa-\U0003ffff", r"\p{N}": "0-9\u00b2-\u00be\u0660-\u0669", r"\p{Z}": " \u00a0\u2000-\u200a\u2028\u2029\u202f\u3000",
    r"\p{M}": "\u0300-\u036f", r"\p{S}": "$+<=>^`|~\u00a2-\u00a9\u00ac-\u00b4\u2030-\u2bff", r"\p{P}": "!-#%-*,-/:;?@\\[-\\]_{}\u00a1\u00a7\u00ab\u00b6\u00bb\u00bf\u2010-\u2027",
    r"\p{Alnum}": "a-zA-Z0-9", r"\p{Alpha}": "a-zA-Z", r"\p{Print}": " -~", r"\p{Graph}": "!-~", r"\p{ASCII}": "\\x00-\\x7f",
    r"\p{Lu}": "A-Z", r"\p{Ll}": "a-z", r"\p{Punct}": "!-/:-@\\[-`{-~", r"\p{Space}": " \\t\\n\\x0b\\f\\r", r"\p{Cntrl}": "\\x00-\\x1f\\x7f",
    r"\p{C}": "\\x00-\\x1f\\x7f-\\x9f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u206f\\ud800-\\uf8ff\ufeff\ufff9-\ufffb",
    r"\p{IsLetter}": "a-zA-Z\u00aa-\U0003ffff", r"\p{IsDigit}": "0-9\u0660-\u0669", r"\p{Zs}": " \u00a0\u2000-\u200a\u202f\u3000", r"\p{Nd}": "0-9\u0660-\u0669",
}  # fmt: skip

# Patterns whose time grows too fast with their text, as ones of the same meaning that do not.
LINEAR = {
    r"^[ \t]*[\x20-\x7E]+([ \t]+[\x20-\x7E]+)*[ \t]*$": r"\t*[\x20-\x7E][\t\x20-\x7E]*",
    r"^[ \t]*[^\x00-\x1F:\x7F]+([ \t]+[^\x00-\x1F:\x7F]+)*[ \t]*$": r"\t*[^\x00-\x1F:\x7F][^\x00-\x08\x0A-\x1F:\x7F]*",
    r"[ \t]*[\x20-\x7E]+([ \t]+[\x20-\x7E]+)*[ \t]*|(\$(\.[\w/_-]+(\[(\d+|\*)\])*)*)": r"\t*[\x20-\x7E][\t\x20-\x7E]*",
    r"^[a-z0-9A-Z]+[\.\-\w]*[a-z0-9A-Z]+$": r"[a-z0-9A-Z][.\-\w]*[a-z0-9A-Z]",
    r"[\p{L}\p{M}\p{S}\p{N}\p{P}]+@[\p{L}\p{M}\p{S}\p{N}\p{P}]+": r"[\p{L}\p{M}\p{S}\p{N}\p{P}](?:(?!@)[\p{L}\p{M}\p{S}\p{N}\p{P}])*@[\p{L}\p{M}\p{S}\p{N}\p{P}]+",
}


class Constraint(Struct, frozen=True):
    """One thing that must hold of a value, and how AWS says it."""

    holds: Callable[[Any], bool]
    text: str


def enum_order(values: list[str]) -> list[str]:
    """The order in which AWS lists an enumeration: a Java hash table of 32 chains, each with the newest first."""

    def chain(value: str) -> int:
        code = 0
        for unit in value:
            code = (code * 31 + ord(unit)) & 0xFFFFFFFF
        return code & 31

    return sorted(sorted(values, key=values.index, reverse=True), key=chain)


def compile_pattern(pattern: str) -> re.Pattern[str] | None:
    """A Java pattern as Python's; None for one that Python cannot express."""
    pattern = LINEAR.get(pattern, pattern)
    for java, ours in _JAVA_CLASSES.items():
        pattern = _replace_class(pattern, java, ours)
    # Java counts in UTF-16: its pairs are the characters beyond it. A hyphen behind a class is itself.
    pattern = pattern.replace(r"\uD800\uDC00-\uDBFF\uDFFF", r"\U00010000-\U0010FFFF")
    pattern = re.sub(r"(\\[wWdDsS])-(?!\])", r"\1\\-", pattern)
    pattern = re.sub(r"\\u([0-9A-Fa-f]{4})", lambda found: re.escape(chr(int(found[1], 16))), pattern)
    pattern = re.sub(r"\\x\{([0-9A-Fa-f]+)\}", lambda found: re.escape(chr(int(found[1], 16))), pattern)
    pattern = pattern.replace(r"\z", r"\Z").replace(r"\h", r" \t")
    try:
        return re.compile(pattern, re.ASCII)
    except (re.error, OverflowError):
        return None


def _replace_class(pattern: str, java: str, ours: str) -> str:
    """Put a class in place of Java's, in brackets of its own where it stands outside any."""
    parts = pattern.split(java)
    written = parts[0]
    for part in parts[1:]:
        inside = len(re.findall(r"(?<!\\)\[", written)) > len(re.findall(r"(?<!\\)\]", written))
        written += (ours if inside else f"[{ours}]") + part
    return written


def _number(value: float, kind: str) -> str:
    return repr(float(value)) if kind in ("double", "float") else str(int(value))


def _sized(shape: Shape) -> list[Constraint]:
    """Limits of length: of text, blobs, lists and maps."""
    found = []
    low, high = shape.min, shape.max
    if high is not None:
        found.append(
            Constraint(lambda value: len(value) <= high, f"Member must have length less than or equal to {int(high)}")
        )
    if low:
        found.append(
            Constraint(lambda value: len(value) >= low, f"Member must have length greater than or equal to {int(low)}")
        )
    return found


def _ranged(shape: Shape) -> list[Constraint]:
    """Limits of value."""
    found = []
    low, high = shape.min, shape.max
    if high is not None:
        text = f"Member must have value less than or equal to {_number(high, shape.type)}"
        found.append(Constraint(lambda value: value <= high, text))
    if low is not None:
        text = f"Member must have value greater than or equal to {_number(low, shape.type)}"
        found.append(Constraint(lambda value: value >= low, text))
    return found


def constraints(name: str, shape: Shape, quirks: Quirks) -> list[Constraint]:
    """What must hold of a value of a shape by itself, not of its parts."""
    if shape.type in ("list", "map", "blob"):
        return _sized(shape)
    if shape.type in ("integer", "long", "double", "float"):
        return _ranged(shape)
    if shape.type not in ("string", "character"):
        return []
    if shape.enum:
        if name in quirks.own_enums:
            return []
        values = frozenset(shape.enum)
        listed = ", ".join(quirks.enum_orders.get(name) or enum_order(shape.enum))
        return [Constraint(lambda value: value in values, f"Member must satisfy enum value set: [{listed}]")]
    found = _sized(shape)
    pattern = compile_pattern(shape.pattern) if shape.pattern else None
    if pattern is not None:
        matches = pattern.fullmatch
        text = f"Member must satisfy regular expression pattern: {quirks.patterns.get(name, shape.pattern)}"
        most = LONG_TEXT if shape.max is None else min(LONG_TEXT, max(4 * int(shape.max), OVER_LONG))
        found.append(Constraint(lambda value: len(value) > most or matches(value) is not None, text))
    return found


def render(value: Any) -> str:
    """A value as Java prints it."""
    if isinstance(value, str):
        return value
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return f"java.nio.HeapByteBuffer[pos=0 lim={len(value)} cap={len(value)}]"
    if isinstance(value, list):
        return f"[{', '.join(map(render, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}={render(part)}" for key, part in value.items()) + "}"
    if isinstance(value, Struct):
        return f"{type(value).__name__}({', '.join(f'{lower(name)}={render(getattr(value, attribute))}' for name, attribute in _names(value))})"
    return str(value)


def _names(value: Struct) -> list[tuple[str, str]]:
    return list(zip(value.__struct_encode_fields__, value.__struct_fields__, strict=True))


def lower(name: str) -> str:
    """A member's name as paths have it: `functionName`."""
    return name[:1].lower() + name[1:]


def null(path: str) -> str:
    return f"Value null at '{path}' failed to satisfy constraint: {NOT_NULL}"


class Validator(ShapeCompiler[Check]):
    """Compiles checks. `nulls` also looks for missing members, which the fast decoders have already refused."""

    def __init__(self, model: Model, quirks: Quirks, *, nulls: bool) -> None:
        super().__init__(model)
        self._quirks = quirks
        self._nulls = nulls
        self._lower = quirks.validation == "model"
        self._needed: dict[str, bool] = {}
        self._requests: dict[str, Check] = {}

    def request(self, name: str) -> Check | None:
        """The check of an operation's input; None when nothing can be wrong with it."""
        if not self.needed(name):
            return None
        if name not in self._requests:
            self._requests[name] = self._members(name, self.model.shape(name))
        return self._requests[name]

    def needed(self, name: str) -> bool:
        """Whether anything at or below a shape is constrained."""
        if name not in self._needed:
            self._needed[name] = False
            own = name in self._quirks.own_shapes and not self._nulls
            self._needed[name] = not own and self._constrained(name)
        return self._needed[name]

    def _constrained(self, name: str) -> bool:
        shape = self.model.shape(name)
        if shape.document or shape.eventstream:
            return False
        if shape.type in _LIMITS or (self._nulls and (shape.required or shape.type in ("list", "map"))):
            return True
        if self._own(name, shape):
            return True
        below = [*shape.members.values(), *(part for part in (shape.member, shape.key, shape.value) if part)]
        return any(self.needed(member.shape) for member in below if not member.streaming)

    def _own(self, name: str, shape: Shape) -> list[Constraint]:
        if name in self._quirks.own_limits:
            return []
        if self._quirks.validation == "model":
            return constraints(name, shape, self._quirks)
        return constraints(name, shape, self._quirks) if self._quirks.validation == "schema" and shape.enum else []

    def structure(self, name: str, shape: Shape) -> Check:
        check = self._members(name, shape)
        return check if not shape.members else self._nested(name, check)

    def _members(self, name: str, shape: Shape) -> Check:
        """The check of a structure's members, whose paths begin with what it is given as its own."""
        attributes, parts = [], []
        for key, member in shape.members.items():
            required = self._nulls and key in shape.required
            inner = None if member.streaming or not self.needed(member.shape) else self.of(member)
            if required or inner is not None:
                absent = self._quirks.absent.get(f"{name}.{key}")
                attributes.append(member.attribute)
                parts.append((lower(key) if self._lower else key, required, inner, absent))
        held_by = getter(attributes)
        if not self._nulls:
            return _check_given(held_by, [(part_name, inner) for part_name, _, inner, _ in parts if inner is not None])

        def check(value: Any, path: str, problems: list[str]) -> None:
            for held, (part_name, required, inner, absent) in zip(held_by(value), parts, strict=True):
                if held is None:
                    if required and absent is not None:
                        raise AwsError(absent, code=self._quirks.validation_code)
                    if required:
                        problems.append(null(path + part_name))
                elif inner is not None:
                    inner(held, path + part_name, problems)

        return check

    def _nested(self, name: str, check: Check) -> Check:
        """A structure's members are told by `path.member`; the request itself has no name."""
        return lambda value, path, problems: check(value, f"{path}." if path and path[-1] != "." else path, problems)

    def scalar(self, member: Member, shape: Shape) -> Check:
        own = sorted(self._own(member.shape, shape), key=lambda constraint: "pattern" not in constraint.text)
        limit = _LIMITS.get(shape.type, 0)
        hidden = shape.sensitive

        def check(value: Any, path: str, problems: list[str]) -> None:
            if limit and not -limit <= value < limit:
                raise AwsError(
                    f"NUMBER_VALUE can not be converted to {article(shape.type.title())}", code="SerializationException"
                )
            for constraint in own:
                if not constraint.holds(value):
                    problems += [failed(value, path, constraint.text, hidden=hidden)]

        return check

    def _item_texts(self, own: list[Constraint], *, nullable: bool) -> str:
        texts = [constraint.text for constraint in own]
        return ", ".join(texts if nullable or not self._quirks.null_items else [*texts, NOT_NULL])

    def _items(self, member: Member) -> tuple[bool, list[Constraint], Check | None]:
        """How the items of a list or map are checked: as nested things, or as scalars all at once."""
        shape = self.model.shape(member.shape)
        nested = shape.type in ("structure", "list", "map") and not shape.document
        inner = self.of(member) if self.needed(member.shape) else None
        return nested, ([] if nested else self._own(member.shape, shape)), inner

    def list_(self, member: Member, shape: Shape) -> Check:
        assert shape.member is not None
        nested, item_own, inner = self._items(shape.member)
        text = f"Member must satisfy constraint: [{self._item_texts(item_own, nullable=False)}]"
        return self._parts(member, shape, text, item_own, inner if nested or not item_own else None)

    def map_(self, member: Member, shape: Shape) -> Check:
        assert shape.key is not None
        assert shape.value is not None
        keys = self._own(shape.key.shape, self.model.shape(shape.key.shape))
        key_text = f"Map keys must satisfy constraint: [{self._item_texts(keys, nullable=True)}]"
        nested, item_own, inner = self._items(shape.value)
        if (held := self.model.shape(shape.value.shape)).type == "list":
            item_own = self._own(shape.value.shape, held)  # the length of lists is told of as that of scalars
        text = f"Map value must satisfy constraint: [{self._item_texts(item_own, nullable=False)}]"
        parts = self._parts(member, shape, text, item_own, inner if nested or not item_own else None)
        if not keys:
            return parts

        def check(value: Any, path: str, problems: list[str]) -> None:
            if not all_hold(keys, value):
                problems.append(failed(value, path, key_text))
            parts(value, path, problems)

        return check

    def _parts(self, member: Member, shape: Shape, text: str, items: list[Constraint], inner: Check | None) -> Check:
        """The check of a list or map: its length, then its items, scalars all at once and others by their paths."""
        own = self._own(member.shape, shape)
        nulls, framed = self._nulls, self._lower
        null_maps = self._quirks.null_maps

        def check(value: Any, path: str, problems: list[str]) -> None:
            problems += [failed(value, path, constraint.text) for constraint in own if not constraint.holds(value)]
            named = value if isinstance(value, dict) else None
            parts = value if named is None else named.values()
            if nulls and null_maps and None in parts and path.rpartition(".")[2] in null_maps:
                return
            if nulls and not framed and None in parts:
                problems.append(null(path))
            elif (nulls and None in parts) or (items and not all_hold(items, parts)):
                problems.append(failed(value, path, text))
            elif inner is not None:
                for name, part in enumerate(value, 1) if named is None else named.items():
                    inner(part, f"{path}.{name}.member", problems)

        return check


def _check_given(held_by: Callable[[Any], tuple[Any, ...]], parts: list[tuple[str, Check]]) -> Check:
    """The check of members any of which may be missing, as most are."""

    def check(value: Any, path: str, problems: list[str]) -> None:
        for held, part in zip(held_by(value), parts, strict=True):
            if held is not None:
                name, inner = part
                inner(held, path + name, problems)

    return check


def all_hold(constraints: list[Constraint], values: Iterable[Any]) -> bool:
    """Whether every constraint holds of every value."""
    return all(constraint.holds(value) for value in values for constraint in constraints)


def failed(value: Any, path: str, text: str, *, hidden: bool = False) -> str:
    """One problem. Values of sensitive shapes are not repeated."""
    if value is None:
        return f"Value null at '{path}' failed to satisfy constraint: {text}"
    shown = "" if hidden else f" '{render(value)}'"
    return f"Value{shown} at '{path}' failed to satisfy constraint: {text}"


def summary(problems: list[str]) -> str:
    """All problems in one message."""
    return f"{len(problems)} validation error{'s' if len(problems) > 1 else ''} detected: {'; '.join(problems)}"


def article(name: str) -> str:
    return f"an {name}" if name[0] in "AEIO" else f"a {name}"
