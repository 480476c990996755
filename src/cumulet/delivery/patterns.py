"""The pattern language of EventBridge, which filters of event source mappings, pipes and rules share, compiled to closures.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
"""

import ipaddress
import re
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise
from typing import Any

import msgspec

Match = Callable[[object], bool]
"""Tells whether an event (a decoded JSON value) matches."""

_MISSING = object()
_NUMBERS: dict[str, Callable[[Any, float], bool]] = {
    "=": lambda value, bound: value == bound,
    "<": lambda value, bound: value < bound,
    "<=": lambda value, bound: value <= bound,
    ">": lambda value, bound: value > bound,
    ">=": lambda value, bound: value >= bound,
}
_RESERVED = frozenset(
    {"exactly", "prefix", "suffix", "equals-ignore-case", "anything-but", "numeric", "exists", "cidr", "wildcard"}
)
_DEEPEST = 200
_MOST_ALIKE = 4
"""Stars in one wildcard that the same character follows; AWS measures its automaton, which such repeats make large."""


class InvalidPattern(ValueError):
    """A pattern that AWS would refuse. `message` is the reason as EventBridge gives it."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


@lru_cache(1024)
def compile_pattern(text: str) -> Match:
    """The test that a pattern (JSON text) stands for; raises InvalidPattern."""
    try:
        pattern = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise InvalidPattern(str(error)) from error
    if not isinstance(pattern, dict):
        raise InvalidPattern("Filter is not an object")
    if not pattern:
        return lambda _: True
    return _object(pattern, 0)


def _object(pattern: dict[str, Any], depth: int) -> Match:
    """Every field must match. Of an array, one element must match in all of them."""
    if depth > _DEEPEST:
        raise InvalidPattern("Event pattern is nested too deeply")
    if not pattern:
        raise InvalidPattern("Empty objects are not allowed")
    fields: list[tuple[str, Match]] = []
    choices: list[Match] = []
    for name, wanted in pattern.items():
        if name == "$or" and _is_choice(wanted):
            choices.append(_either([_object(option, depth + 1) for option in wanted]))
        else:
            fields.append(_field(name, wanted, depth))
    return _of_object(fields, choices)


def _field(name: str, wanted: object, depth: int) -> tuple[str, Match]:
    if "." in name.strip("."):
        first, _, rest = name.partition(".")  # a path in one name means the same as objects in each other
        return first, _object({rest: wanted}, depth + 1)
    if isinstance(wanted, dict):
        return name, _object(wanted, depth + 1)
    if isinstance(wanted, list):
        return name, _values(wanted)
    raise InvalidPattern(f'"{name}" must be an object or an array')


def _of_object(fields: list[tuple[str, Match]], choices: list[Match]) -> Match:
    def matches_object(value: dict[str, Any]) -> bool:
        for name, test in fields:
            found = value.get(name, _MISSING)
            if found is _MISSING:
                found = _joined(value, name)
            if not test(found):
                return False
        return all(choice(value) for choice in choices)

    def matches(value: object) -> bool:
        if isinstance(value, dict):
            return matches_object(value)
        if isinstance(value, list) and value:
            return any(matches(element) for element in value)
        return matches_object({})  # what is not there can still match `exists: false`

    return matches


def _joined(value: dict[str, Any], name: str) -> object:
    """What an event holds under names such as `name.rest`, which mean objects in each other too."""
    start = name + "."
    found = {key[len(start) :]: member for key, member in value.items() if key.startswith(start)}
    return found or _MISSING


def _is_choice(wanted: object) -> bool:
    """Whether a `$or` is the operator, as opposed to a field of that name."""
    return (
        isinstance(wanted, list)
        and len(wanted) > 1
        and all(isinstance(option, dict) and option and not _RESERVED & option.keys() for option in wanted)
    )


def _either(tests: list[Match]) -> Match:
    return tests[0] if len(tests) == 1 else lambda value: any(test(value) for test in tests)


def _values(wanted: list[Any]) -> Match:
    """A leaf: the value, or one element of an array, is among those wanted."""
    if not wanted:
        raise InvalidPattern("Empty arrays are not allowed")
    literals: set[tuple[type, object]] = set()
    tests: list[Match] = []
    absent = False
    for each in wanted:
        if isinstance(each, list):
            raise InvalidPattern("Match value must be String, number, true, false, or null")
        if not isinstance(each, dict):
            literals.add(_typed(each))
        elif len(each) == 1 and each.get("exists") is False:
            absent = True
        else:
            tests.append(_operator(each))

    def matches(value: object) -> bool:
        if value is _MISSING or isinstance(value, dict):
            return absent
        if isinstance(value, list):
            return any(matches(element) for element in value) if value else absent
        if literals and _typed(value) in literals:
            return True
        return any(test(value) for test in tests)

    return matches


def _typed(value: object) -> tuple[type, object]:
    """A key that keeps true and 1 apart, while 1.0 and 1 are the same number."""
    if isinstance(value, float):
        return (int, int(value)) if value.is_integer() else (float, value)
    return type(value), value


def _operator(expression: dict[str, Any]) -> Match:
    """One `{"name": argument}` of a leaf."""
    if len(expression) != 1:
        raise InvalidPattern("Only one key allowed in match expression")
    ((name, argument),) = expression.items()
    make = _OPERATORS.get(name)
    if make is None:
        raise InvalidPattern(f"Unrecognized match type {name}")
    return make(argument)


def _exists(argument: object) -> Match:
    if not isinstance(argument, bool):
        raise InvalidPattern("exists match pattern must be either true or false.")
    return lambda _: argument


def _prefix(argument: object) -> Match:
    if isinstance(argument, dict):
        start = _folded("prefix", argument)
        return lambda value: isinstance(value, str) and value.casefold().startswith(start)
    text = _text("prefix", argument)
    return lambda value: isinstance(value, str) and value.startswith(text)


def _suffix(argument: object) -> Match:
    if isinstance(argument, dict):
        end = _folded("suffix", argument)
        return lambda value: isinstance(value, str) and value.casefold().endswith(end)
    text = _text("suffix", argument)
    return lambda value: isinstance(value, str) and value.endswith(text)


def _folded(name: str, argument: dict[str, Any]) -> str:
    """What `{"equals-ignore-case": text}` inside of a prefix or suffix says, lower-case."""
    if argument.keys() != {"equals-ignore-case"}:
        raise InvalidPattern(f"Unsupported {name} pattern: {next(iter(argument), '')}")
    return _text("equals-ignore-case", argument["equals-ignore-case"]).casefold()


def _ignore_case(argument: object) -> Match:
    text = _text("equals-ignore-case", argument).casefold()
    return lambda value: isinstance(value, str) and value.casefold() == text


def _wildcard(argument: object) -> Match:
    expression = _glob(_text("wildcard", argument))
    return lambda value: isinstance(value, str) and expression.fullmatch(value) is not None


def _text(name: str, argument: object) -> str:
    if not isinstance(argument, str):
        raise InvalidPattern(f"{name} match pattern must be a string")
    return argument


def _glob(text: str) -> re.Pattern[str]:
    """`*` is any text; a backslash takes the meaning from a star or backslash. No nested repetition comes of it."""
    parts: list[str] = []
    escaped = star = False
    for place, character in enumerate(text):
        if escaped:
            if character not in "*\\":
                raise InvalidPattern(f"Invalid escape character at pos {place - 1}")
            parts.append(re.escape(character))
            escaped = star = False
        elif character == "\\":
            escaped = True
        elif character == "*":
            if star:
                raise InvalidPattern(f"Consecutive wildcard characters at pos {place}")
            # Everything up to the next occurrence of what follows, for good: linear, however many stars there are.
            parts.append("*")
            star = True
        else:
            parts.append(re.escape(character))
            star = False
    if escaped:
        raise InvalidPattern(f"Invalid escape character at pos {len(text) - 1}")
    following = Counter(after for star_, after in pairwise(parts) if star_ == "*")
    if following and max(following.values()) > _MOST_ALIKE:
        raise InvalidPattern(
            "Rule is too complex - try using fewer wildcard characters or fewer repeating character sequences after a "
            "wildcard character"
        )
    return re.compile(_linear(parts), re.DOTALL)


def _linear(parts: list[str]) -> str:
    """An expression that never goes back over a text between two stars, as the first place it fits is as good as any."""
    pieces: list[list[str]] = [[]]
    for part in parts:
        if part == "*":
            pieces.append([])
        else:
            pieces[-1].append(part)
    texts = ["".join(piece) for piece in pieces]
    if len(texts) == 1:
        return texts[0]
    middle = "".join(f"(?>.*?{text})" for text in texts[1:-1])
    return f"{texts[0]}{middle}.*{texts[-1]}"


def _numeric(argument: object) -> Match:
    if not isinstance(argument, list):
        raise InvalidPattern("Value of numeric must be an array.")
    if not argument:
        raise InvalidPattern("Invalid member in numeric match: ]")
    first, bound = _comparison(argument, 0)
    if len(argument) == 2:
        compare = _NUMBERS[first]
        return lambda value: _is_number(value) and compare(value, bound)
    second, top = _comparison(argument, 2)
    if first not in {">", ">="}:
        raise InvalidPattern("Too many elements in numeric expression")
    if second not in {"<", "<="}:
        raise InvalidPattern(f"Bad numeric range operator: {second}")
    if len(argument) > 4:
        raise InvalidPattern("Too many terms in numeric range expression")
    if top < bound or (top == bound and (first, second) != (">=", "<=")):
        raise InvalidPattern("Bottom must be less than top")
    above, below = _NUMBERS[first], _NUMBERS[second]
    return lambda value: _is_number(value) and above(value, bound) and below(value, top)


def _comparison(argument: list[Any], place: int) -> tuple[str, float]:
    operator = argument[place]
    if not isinstance(operator, str):
        raise InvalidPattern(f"Invalid member in numeric match: {operator}")
    if operator not in _NUMBERS:
        raise InvalidPattern(f"Unrecognized numeric range operator: {operator}")
    bound = argument[place + 1] if place + 1 < len(argument) else None
    if bound is None or not _is_number(bound):
        raise InvalidPattern(f"Value of {'equals' if operator == '=' else operator} must be numeric")
    return operator, bound


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _cidr(argument: object) -> Match:
    if not isinstance(argument, str):
        raise InvalidPattern("prefix match pattern must be a string")
    address, slash, bits = argument.partition("/")
    if not slash or "/" in bits:
        raise InvalidPattern("Malformed CIDR, one '/' required")
    if not bits.isdecimal():
        raise InvalidPattern("Malformed CIDR, mask bits must be an integer")
    try:
        wide = 128 if ipaddress.ip_address(address).version == 6 else 32
    except ValueError as error:
        raise InvalidPattern(f"Nonstandard IP address: {address}") from error
    if int(bits) > wide:
        raise InvalidPattern(f"Malformed CIDR, mask bits must be less than {wide + 1}")
    network = ipaddress.ip_network(argument, strict=False)

    def matches(value: object) -> bool:
        if not isinstance(value, str):
            return False
        try:
            return ipaddress.ip_address(value) in network
        except ValueError:
            return False

    return matches


def _anything_but(argument: object) -> Match:
    if isinstance(argument, dict):
        return _anything_like(argument)
    if not isinstance(argument, list):
        if not isinstance(argument, str) and not _is_number(argument):
            raise InvalidPattern("Value of anything-but must be an array or single string/number value.")
        argument = [argument]
    if not argument:
        raise InvalidPattern("Empty arrays are not allowed")
    for each in argument:
        if not isinstance(each, str) and not _is_number(each):
            raise InvalidPattern("Inside anything but list, start|null|boolean is not supported.")
    if len({isinstance(each, str) for each in argument}) > 1:
        raise InvalidPattern(
            "Inside anything but list, either all values are number or string, mixed type is not supported"
        )
    unwanted = {_typed(each) for each in argument}
    return lambda value: _typed(value) not in unwanted


def _anything_like(argument: dict[str, Any]) -> Match:
    """`anything-but` around another operator, whose argument may be a list."""
    if len(argument) != 1:
        raise InvalidPattern("Only one key allowed in match expression")
    ((name, wanted),) = argument.items()
    make = _WITHIN_ANYTHING_BUT.get(name)
    if make is None:
        raise InvalidPattern(f"Unsupported anything-but pattern: {name}")
    several = wanted if isinstance(wanted, list) else [wanted]
    for each in several:
        if not isinstance(each, str):
            raise InvalidPattern(_refusal(name, each))
        if not each and name in {"prefix", "suffix"}:
            raise InvalidPattern("Null prefix/suffix not allowed")
    tests = [make(each) for each in several]
    if not tests:
        raise InvalidPattern("Empty arrays are not allowed")
    return lambda value: not any(test(value) for test in tests)


def _refusal(name: str, wanted: object) -> str:
    """Of something other than text inside of anything-but's operators."""
    if name == "equals-ignore-case":
        return f"Inside anything-but/{name} list, number|start|null|boolean is not supported."
    if name == "wildcard":
        return "wildcard match pattern must be a string"
    if isinstance(wanted, dict):
        return "Value of anything-but must be an array or single string/number value."
    return "prefix/suffix match pattern must be a string"


_OPERATORS: dict[str, Callable[[object], Match]] = {
    "anything-but": _anything_but,
    "cidr": _cidr,
    "equals-ignore-case": _ignore_case,
    "exists": _exists,
    "numeric": _numeric,
    "prefix": _prefix,
    "suffix": _suffix,
    "wildcard": _wildcard,
}
_WITHIN_ANYTHING_BUT = {
    "equals-ignore-case": _ignore_case,
    "prefix": _prefix,
    "suffix": _suffix,
    "wildcard": _wildcard,
}
