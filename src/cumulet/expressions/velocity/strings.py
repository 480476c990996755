"""The methods of Java's String."""

import re
from collections.abc import Callable
from functools import partial
from typing import Any

from cumulet.expressions.regexes import InvalidExpression, TooComplex, expression
from cumulet.expressions.velocity.values import LARGEST, NoSuchMethod, bounded, to_text

_BLANK = "".join(map(chr, range(33)))
"""What `trim` takes away: all up to the blank."""
_FORMAT = re.compile(r"%(?:(\d+)\$)?([-+ 0,(#]*)(\d+)?(?:\.(\d+))?([a-zA-Z%])")
_WIDEST = 10_000
_GROUP = re.compile(r"\\(.)|\$(\d)|\$\{([A-Za-z]\w*)\}", re.DOTALL)


def hash_code(text: str) -> int:
    """Java's `hashCode`."""
    code = 0
    for unit in memoryview(text.encode("utf-16-le", "surrogatepass")).cast("H"):
        code = (code * 31 + unit) & 0xFFFFFFFF
    return code - (1 << 32) if code >> 31 else code


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise NoSuchMethod("a text is needed")
    return value


def _substring(text: str, start: Any, end: Any = None) -> str:
    stop = len(text) if end is None else end
    if not 0 <= start <= stop <= len(text):
        raise IndexError(f"begin {start}, end {stop}, length {len(text)}")
    return text[start:stop]


def _char_at(text: str, at: Any) -> str:
    if not 0 <= at < len(text):
        raise IndexError(f"index {at}, length {len(text)}")
    return text[at]


def _replace(text: str, old: Any, new: Any) -> str:
    old, new = to_text(old), to_text(new)
    count = text.count(old)
    if len(text) + count * (len(new) - len(old)) > LARGEST:
        bounded(" " * (LARGEST + 1))
    return text.replace(old, new)


def matching_steps(text: Any, arguments: list[Any]) -> int:
    """What a method with a regular expression as its first argument may take; none when it will fail anyway."""
    if not isinstance(text, str) or not arguments or not isinstance(arguments[0], str):
        return 0
    try:
        return expression(arguments[0]).steps(text)
    except (InvalidExpression, TooComplex):
        return 0


def _matches(text: str, pattern: Any) -> bool:
    return expression(_text(pattern)).matches(text)


def _replace_all(text: str, pattern: Any, replacement: Any, count: int = 0) -> str:
    compiled = expression(_text(pattern))
    compiled.steps(text)
    template = _text(replacement)
    size = 0

    def replaced(found: re.Match[str]) -> str:
        nonlocal size
        new = _GROUP.sub(partial(_group, found), template)
        size += len(new)
        if size > LARGEST:
            bounded(" " * (LARGEST + 1))
        return new

    return bounded(compiled.compiled.sub(replaced, text, count=count))


def _group(found: re.Match[str], part: re.Match[str]) -> str:
    """`\\x` stands for x, `$1` for a group."""
    if part.group(1) is not None:
        return part.group(1)
    if part.group(2) is not None:
        return found.group(int(part.group(2))) or ""
    return found.group(part.group(3)) or ""


def _split(text: str, pattern: Any, limit: Any = 0) -> list[str]:
    """An empty text in front of a match without width is left out, empty texts at the end are when there is no limit."""
    compiled = expression(_text(pattern))
    compiled.steps(text)
    parts: list[str] = []
    start = 0
    for found in compiled.compiled.finditer(text):
        if limit > 0 and len(parts) == limit - 1:
            break
        if found.end() == 0:
            continue
        parts.append(text[start : found.start()])
        start = found.end()
    parts.append(text[start:])
    while limit == 0 and len(parts) > 1 and not parts[-1]:
        parts.pop()
    return parts


def _compared(left: str, right: Any) -> int:
    other = _text(right)
    for one, two in zip(left, other, strict=False):
        if one != two:
            return ord(one) - ord(two)
    return len(left) - len(other)


def _repeat(text: str, times: Any) -> str:
    if times < 0:
        raise ValueError(f"count is negative: {times}")
    if len(text) * times > LARGEST:
        bounded(" " * (LARGEST + 1))
    return text * int(times)


def variadic(name: str, text: str, arguments: list[Any]) -> str:
    """`$s.format("%05d", 1)` and `$s.join(",", $list)`, which Java has without an object."""
    if not arguments or not isinstance(arguments[0], str):
        raise NoSuchMethod(name)
    if name == "join":
        rest = arguments[1] if len(arguments) == 2 and isinstance(arguments[1], list) else arguments[1:]
        return bounded(arguments[0].join(to_text(part) for part in rest))
    return _formatted(arguments[0], arguments[1:])


def _formatted(template: str, arguments: list[Any]) -> str:
    from cumulet.expressions.velocity.tree import VelocityError  # noqa: PLC0415  (only here)

    following = iter(arguments)

    def one(found: re.Match[str]) -> str:
        place, flags, width, digits, kind = found.groups()
        if kind in "%n":
            return "%" if kind == "%" else "\n"
        if (width and int(width) > _WIDEST) or (digits and int(digits) > _WIDEST):
            raise VelocityError("a format is too wide")
        try:
            value = arguments[int(place) - 1] if place else next(following)
        except (IndexError, StopIteration):
            raise VelocityError(f"format: nothing is given for '{found.group()}'") from None
        return _field(value, flags, width or "", digits, kind)

    return bounded(_FORMAT.sub(one, template))


def _field(value: Any, flags: str, width: str, digits: str | None, kind: str) -> str:
    from cumulet.expressions.velocity.tree import VelocityError  # noqa: PLC0415  (only here)

    align = "<" if "-" in flags else ">"
    if kind in "sSbBc":
        text = to_text(value)
        text = text[: int(digits)] if digits else text
        return f"{text.upper() if kind.isupper() else text:{align}{width}}"
    if isinstance(value, bool) or not isinstance(value, int | float) or (kind in "dxXo" and isinstance(value, float)):
        raise VelocityError(f"format: %{kind} cannot be used for {to_text(value)}")
    if kind not in "dxXofeEgG":
        raise VelocityError(f"format: %{kind} is not supported")
    sign = "+" if "+" in flags else " " if " " in flags else ""
    zero = "0" if "0" in flags and "-" not in flags else ""
    precision = f".{digits or 6}" if kind in "feEgG" else ""
    return f"{value:{'' if zero else align}{sign}{zero}{width}{',' if ',' in flags else ''}{precision}{kind}}"


METHODS: dict[tuple[str, int], Callable[..., Any]] = {
    ("length", 0): len,
    ("isEmpty", 0): lambda text: not text,
    ("isBlank", 0): lambda text: not text.strip(),
    ("charAt", 1): _char_at,
    ("codePointAt", 1): lambda text, at: ord(_char_at(text, at)),
    ("substring", 1): _substring,
    ("substring", 2): _substring,
    ("subSequence", 2): _substring,
    ("indexOf", 1): lambda text, part: text.find(to_text(part)),
    ("indexOf", 2): lambda text, part, start: text.find(to_text(part), max(0, start)),
    ("lastIndexOf", 1): lambda text, part: text.rfind(to_text(part)),
    ("contains", 1): lambda text, part: to_text(part) in text,
    ("startsWith", 1): lambda text, part: text.startswith(_text(part)),
    ("startsWith", 2): lambda text, part, start: text.startswith(_text(part), start),
    ("endsWith", 1): lambda text, part: text.endswith(_text(part)),
    ("equals", 1): lambda text, other: isinstance(other, str) and text == other,
    ("equalsIgnoreCase", 1): lambda text, other: isinstance(other, str) and text.casefold() == other.casefold(),
    ("contentEquals", 1): lambda text, other: text == to_text(other),
    ("compareTo", 1): _compared,
    ("compareToIgnoreCase", 1): lambda text, other: _compared(text.lower(), _text(other).lower()),
    ("concat", 1): lambda text, other: bounded(text + _text(other)),
    ("replace", 2): _replace,
    ("replaceAll", 2): _replace_all,
    ("replaceFirst", 2): lambda text, pattern, new: _replace_all(text, pattern, new, 1),
    ("matches", 1): _matches,
    ("split", 1): _split,
    ("split", 2): _split,
    ("toLowerCase", 0): str.lower,
    ("toUpperCase", 0): str.upper,
    ("trim", 0): lambda text: text.strip(_BLANK),
    ("strip", 0): str.strip,
    ("stripLeading", 0): str.lstrip,
    ("stripTrailing", 0): str.rstrip,
    ("repeat", 1): _repeat,
    ("intern", 0): str,
    ("toCharArray", 0): list,
    ("valueOf", 1): lambda _, value: to_text(value),
    ("getBytes", 0): lambda text: [byte - 256 if byte > 127 else byte for byte in text.encode()],
}
