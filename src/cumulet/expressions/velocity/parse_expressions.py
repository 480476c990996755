"""References and expressions: `$a.b("x")[0]`, `$a + 1 >= 2 && !$b`, `[1..3]`, `{"a": $b}`."""

import re

from cumulet.expressions.velocity.scanner import Scanner
from cumulet.expressions.velocity.tree import (
    Expression,
    Index,
    Interpolated,
    Listed,
    Literal,
    Mapped,
    Method,
    Not,
    Operation,
    Property,
    Range,
    Reference,
    VelocityError,
)

_DEEPEST = 40
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_MEMBER = re.compile(r"\.([A-Za-z][A-Za-z0-9_-]*)")
_BANG = re.compile(r"\\*!")
_NUMBER = re.compile(r"-?(?:\d+(?=\.\.)|\d+\.\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\d+)")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_UNICODE = re.compile(r"\\u([0-9a-fA-F]{4})")
_MOST_DIGITS = 400

_LEVELS: tuple[tuple[tuple[str, str], ...], ...] = (
    (("||", "||"), ("or", "||")),
    (("&&", "&&"), ("and", "&&")),
    (("==", "=="), ("!=", "!="), ("eq", "=="), ("ne", "!=")),
    (("<=", "<="), (">=", ">="), ("<", "<"), (">", ">"), ("le", "<="), ("ge", ">="), ("lt", "<"), ("gt", ">")),
    (("+", "+"), ("-", "-")),
    (("*", "*"), ("/", "/"), ("%", "%")),
)
"""Operators from the weakest on, as they are written and as they are called."""


def reference(scanner: Scanner, escapes: int) -> Reference | None:
    """The reference that begins with the `$` here; None when it is none, and then nothing was read."""
    start = scanner.at
    text = scanner.text
    if not scanner.take("$"):
        return None
    bang = _BANG.match(text, scanner.at)
    if bang:
        if len(bang.group()) > 1:
            scanner.at = start
            return None
        scanner.at = bang.end()
    formal = scanner.take("{")
    name = _NAME.match(text, scanner.at)
    if name is None:
        scanner.at = start
        return None
    scanner.at = name.end()
    steps = _steps(scanner)
    if formal and not scanner.take("}"):
        raise scanner.fail("expected '}' to end a reference")
    line, column = scanner.place(start)
    return Reference(name.group(), tuple(steps), bang is not None, text[start : scanner.at], escapes, line, column)


def _steps(scanner: Scanner) -> list[Property | Method | Index]:
    steps: list[Property | Method | Index] = []
    while True:
        if scanner.here == "[":
            index = _index(scanner)
            if index is None:
                return steps
            steps.append(index)
            continue
        member = _MEMBER.match(scanner.text, scanner.at)
        if member is None:
            return steps
        scanner.at = member.end()
        if scanner.take("("):
            steps.append(Method(member.group(1), _arguments(scanner)))
        else:
            steps.append(Property(member.group(1)))


def _index(scanner: Scanner) -> Index | None:
    """`[key]`; what cannot be a key is text behind the reference."""
    start = scanner.at
    scanner.at += 1
    scanner.blanks()
    try:
        key = argument(scanner)
    except VelocityError:
        scanner.at = start
        return None
    scanner.blanks()
    if not scanner.take("]"):
        scanner.at = start
        return None
    return Index(key)


def _arguments(scanner: Scanner) -> tuple[Expression, ...]:
    found: list[Expression] = []
    scanner.blanks()
    while not scanner.take(")"):
        if found and not scanner.take(","):
            raise scanner.fail("expected ',' or ')' after an argument")
        found.append(expression(scanner))
        scanner.blanks()
    return tuple(found)


def expression(scanner: Scanner, level: int = 0) -> Expression:
    """An expression of operators as strong as this level; raises VelocityError. Blanks around it are read too."""
    if level == len(_LEVELS):
        return _unary(scanner)
    left = expression(scanner, level + 1)
    while (sign := _operator(scanner, level)) is not None:
        left = Operation(sign, left, expression(scanner, level + 1))
    return left


def _operator(scanner: Scanner, level: int) -> str | None:
    scanner.blanks()
    for written, sign in _LEVELS[level]:
        if written.isalpha():
            word = _WORD.match(scanner.text, scanner.at)
            if word is None or word.group() != written:
                continue
            scanner.at = word.end()
            return sign
        if scanner.take(written):
            return sign
    return None


def _unary(scanner: Scanner) -> Expression:
    scanner.depth += 1
    if scanner.depth > _DEEPEST:
        raise scanner.fail("an expression is nested too deeply")
    scanner.blanks()
    word = _WORD.match(scanner.text, scanner.at)
    inner: Expression
    if scanner.take("!") or (word and word.group() == "not" and scanner.take("not")):
        inner = Not(_unary(scanner))
    elif scanner.take("("):
        inner = expression(scanner)
        scanner.blanks()
        if not scanner.take(")"):
            raise scanner.fail("expected ')'")
    else:
        inner = argument(scanner)
    scanner.depth -= 1
    return inner


def argument(scanner: Scanner) -> Expression:
    """A value without operators; raises VelocityError."""
    scanner.blanks()
    here = scanner.here
    if here == "$":
        found = reference(scanner, 0)
        if found is None:
            raise scanner.fail("'$' is followed by no name")
        return found
    if here and here in "\"'":
        return _text(scanner)
    if here == "[":
        return _listed(scanner)
    if here == "{":
        return _mapped(scanner)
    number = _NUMBER.match(scanner.text, scanner.at)
    if number:
        if len(number.group()) > _MOST_DIGITS:
            raise scanner.fail("a number is too long")
        scanner.at = number.end()
        return Literal(_number(number.group()))
    word = _WORD.match(scanner.text, scanner.at)
    if word and word.group() in {"true", "false"}:
        scanner.at = word.end()
        return Literal(word.group() == "true")
    raise scanner.fail(f"expected a value, found {here!r}" if here else "expected a value, found the end")


def _number(text: str) -> int | float:
    return int(text) if text.lstrip("-").isdecimal() else float(text)


def _text(scanner: Scanner) -> Expression:
    """A quote is written twice inside; in double quotes there may be a template."""
    quote, start = scanner.here, scanner.at
    at = start + 1
    while True:
        end = scanner.text.find(quote, at)
        if end < 0:
            raise scanner.fail("a text does not end")
        if scanner.text[end + 1 : end + 2] != quote:
            break
        at = end + 2
    inner = scanner.text[start + 1 : end]
    if quote == '"':
        inner = _UNICODE.sub(lambda found: chr(int(found.group(1), 16)), inner)
    inner = inner.replace(quote * 2, quote)
    if quote == "'" or ("$" not in inner and "#" not in inner):
        scanner.at = end + 1
        return Literal(inner)
    parts = scanner.template(inner)
    scanner.at = end + 1
    return Interpolated(parts)


def _deeper(scanner: Scanner) -> None:
    scanner.at += 1
    scanner.depth += 1
    if scanner.depth > _DEEPEST:
        raise scanner.fail("a value is nested too deeply")
    scanner.blanks()


def _listed(scanner: Scanner) -> Expression:
    _deeper(scanner)
    elements: list[Expression] = []
    while not scanner.take("]"):
        if elements and not scanner.take(","):
            if len(elements) == 1 and scanner.take(".."):
                last = expression(scanner)
                scanner.blanks()
                if not scanner.take("]"):
                    raise scanner.fail("expected ']' to end a range")
                scanner.depth -= 1
                return Range(elements[0], last)
            raise scanner.fail("expected ',' or ']' after an element")
        elements.append(expression(scanner))
        scanner.blanks()
    scanner.depth -= 1
    return Listed(tuple(elements))


def _mapped(scanner: Scanner) -> Expression:
    _deeper(scanner)
    members: list[tuple[Expression, Expression]] = []
    while not scanner.take("}"):
        if members and not scanner.take(","):
            raise scanner.fail("expected ',' or '}' after a member")
        key = expression(scanner)
        scanner.blanks()
        if not scanner.take(":"):
            raise scanner.fail("expected ':' after a key")
        members.append((key, expression(scanner)))
        scanner.blanks()
    scanner.depth -= 1
    return Mapped(tuple(members))
