"""What an expression refers to, told from its text: variables, members of ``$states``, and names at the top level."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

_TOKEN = re.compile(
    r"""(?P<space>\s+|/\*.*?\*/)
    |(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    |(?P<quoted>`[^`]*`)
    |(?P<variable>\$\$|\$[^\W\d]\w*|\$(?!\w))
    |(?P<number>\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)
    |(?P<name>[^\W\d]\w*)
    |(?P<operator>:=|!=|<=|>=|~>|\*\*|\.\.|\?\?|\?:|.)""",
    re.VERBOSE | re.DOTALL,
)
_REGEX = re.compile(r"/(?:[^/\\\[]|\\.|\[(?:[^\]\\]|\\.)*\])+/[im]*")
# After these a slash begins a regular expression, and a name or an operand stands at its own beginning.
_OPENERS = frozenset(
    [
        "(",
        "[",
        "{",
        ",",
        ";",
        ":",
        "?",
        "=",
        "!=",
        "<",
        "<=",
        ">",
        ">=",
        "+",
        "-",
        "*",
        "/",
        "%",
        "&",
        "|",
        "~>",
        ":=",
        "..",
        ".",
        "**",
        "??",
        "?:",
        "^",
        "and",
        "or",
        "in",
    ]
)
_KEYWORDS = frozenset(("and", "or", "in", "true", "false", "null", "function", "λ"))


class Token:
    """A token: ``kind`` as in the pattern above, or "regex"; ``text``; ``at``, where it begins."""

    __slots__ = ("at", "kind", "text")

    def __init__(self, kind: str, text: str, at: int) -> None:
        self.kind = kind
        self.text = text
        self.at = at


@lru_cache(maxsize=1024)
def tokens(text: str) -> tuple[Token, ...]:
    """The tokens of an expression that parses."""
    found: list[Token] = []
    place = 0
    while place < len(text):
        if text[place] == "/" and not text.startswith("/*", place) and _operand_next(found):
            regex = _REGEX.match(text, place)
            if regex is not None:
                found.append(Token("regex", regex.group(0), place))
                place = regex.end()
                continue
        match = _TOKEN.match(text, place)
        assert match is not None
        assert match.lastgroup is not None
        if match.lastgroup != "space":
            found.append(Token(match.lastgroup, match.group(0), place))
        place = match.end()
    return tuple(found)


def _operand_next(found: list[Token]) -> bool:
    return not found or (found[-1].text in _OPENERS and found[-1].kind in ("operator", "name"))


def variables(text: str) -> set[str]:
    """The names after ``$`` in ``text``, functions and own variables included."""
    return {token.text[1:] for token in tokens(text) if token.kind == "variable" and len(token.text) > 1} - {"$"}


def assigned(text: str) -> set[str]:
    """The names that the expression itself gives values: by ``:=`` and as parameters."""
    own: set[str] = set()
    sequence = tokens(text)
    parameters = 0
    for place, token in enumerate(sequence):
        if token.text in ("function", "λ") and token.kind in ("name", "operator"):
            parameters = 1
        elif parameters and token.text == ")":
            parameters = 0
        following = sequence[place + 1].text if place + 1 < len(sequence) else ""
        before = sequence[place - 1].text if place else ""
        if token.kind == "variable" and (following == ":=" or parameters or before in ("@", "#")):
            own.add(token.text[1:])
    return own


def states_members(text: str) -> frozenset[str] | None:
    """Which members of ``$states`` are read; None where it is used as a whole."""
    members: set[str] = set()
    sequence = tokens(text)
    for place, token in enumerate(sequence):
        if token.text != "$states" or token.kind != "variable":
            continue
        after = sequence[place + 1 : place + 3]
        if len(after) < 2 or after[0].text != "." or after[1].kind not in ("name", "quoted"):
            return None
        members.add(after[1].text.strip("`"))
    return frozenset(members)


def roots(text: str) -> Iterator[str]:
    """``$``, ``$$``, wildcards and field names that stand at the top level, where AWS has nothing for them to refer to."""
    depth: list[bool] = []  # for each open bracket: whether what is inside has a context of its own
    sequence = _without_signatures(tokens(text))
    for place, token in enumerate(sequence):
        before = sequence[place - 1] if place else None
        if token.text == "|" and token.kind == "operator":
            return  # a transformation: what follows sees what it transforms
        if token.kind == "operator" and token.text in "([{":
            earlier = sequence[place - 2] if place > 1 else None
            depth.append(_has_context(token, before, earlier) or any(depth[-1:]))
        elif token.kind == "operator" and token.text in ")]}":
            del depth[-1:]
        elif not any(depth[-1:]) and (before is None or before.text not in (".", "@", "#")) and _is_root(token, before):
            yield token.text.strip("`")


def _is_root(token: Token, before: Token | None) -> bool:
    if token.kind == "operator":
        return token.text in ("*", "**", "%") and (before is None or before.text in _OPENERS)
    if token.kind == "variable":
        return token.text in ("$", "$$")
    return token.kind in ("name", "quoted") and token.text not in _KEYWORDS


def _without_signatures(sequence: tuple[Token, ...]) -> list[Token]:
    """Without what stands between a function's parameters and its body."""
    kept: list[Token] = []
    parameters = signature = False
    for token in sequence:
        if token.text in ("function", "λ") and token.kind in ("name", "operator"):
            parameters = True
        elif parameters and token.text == "<" and kept[-1].text == ")":
            signature = True
        elif token.text == "{":
            parameters = signature = False
        if not signature:
            kept.append(token)
    return kept


def _has_context(token: Token, before: Token | None, earlier: Token | None) -> bool:
    """Whether a bracket follows a value: then a path step, a filter or a grouping gives what is inside its context."""
    if before is None:
        return False
    if before.kind == "operator":
        if before.text in (".", "^", "~>"):
            return True
        return before.text in (")", "]", "}") and token.text != "("
    if token.text == "(":
        # A call: its arguments see the same context, or that of the step that it is.
        return earlier is not None and earlier.text == "."
    return before.text not in _KEYWORDS or before.text in ("true", "false", "null")


def called(text: str) -> set[str]:
    """The names that are called as functions, or handed on as JSONata's own ones."""
    sequence = tokens(text)
    return {
        token.text[1:]
        for place, token in enumerate(sequence)
        if token.kind == "variable"
        and (
            (place + 1 < len(sequence) and sequence[place + 1].text == "(")
            or (place and sequence[place - 1].text == "~>")
        )
    }
