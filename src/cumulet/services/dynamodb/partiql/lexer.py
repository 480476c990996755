"""The words of a PartiQL statement.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-reference.html
"""

from __future__ import annotations

import re
from typing import NamedTuple

from cumulet.kernel.errors import AwsError
from cumulet.services.dynamodb.errors import invalid

END, NAME, QUOTED, STRING, NUMBER, SIGN = "end", "name", "quoted", "string", "number", "sign"
_WORD = re.compile(
    r"""(?P<space>\s+|--[^\n]*|/\*.*?\*/)
    |(?P<string>'(?:[^']|'')*')
    |(?P<quoted>"(?:[^"]|"")*")
    |(?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)
    |(?P<name>[A-Za-z_$][A-Za-z0-9_$]*)
    |(?P<sign><<|>>|<=|>=|<>|!=|[-=<>()\[\]{},.?*+:;])""",
    re.VERBOSE | re.DOTALL | re.ASCII,
)
OPERATORS = frozenset({"AND", "OR", "IS", "IN", "LIKE", "BETWEEN"})
_SIGNS = frozenset({"=", "<>", "!=", "<", "<=", ">", ">=", "*", "+", "-"})


class Word(NamedTuple):
    kind: str
    text: str
    """What is meant: without quotes, and with doubled ones halved."""
    start: int = 0
    length: int = 0
    """Where it stands in the statement."""


class Words:
    """A statement as words, read one after another. Raises ValidationException for what is no word."""

    __slots__ = ("_text", "_words", "at")

    def __init__(self, text: str) -> None:
        self._text = text
        self._words: list[Word] = []
        self.at = 0
        at = 0
        while at < len(text):
            match = _WORD.match(text, at)
            if match is None:
                raise malformed("")
            at = match.end()
            kind = str(match.lastgroup)
            if kind in (STRING, QUOTED):
                quote = match[0][0]
                self._words.append(Word(kind, match[0][1:-1].replace(quote * 2, quote), match.start(), len(match[0])))
            elif kind != "space":
                self._words.append(Word(kind, match[0], match.start(), len(match[0])))
        self._words.append(Word(END, ""))

    def peek(self, ahead: int = 0) -> Word:
        at = self.at + ahead
        return self._words[at] if at < len(self._words) else self._words[-1]

    def next(self) -> Word:
        word = self._words[self.at]
        if word.kind != END:
            self.at += 1
        return word

    def is_sign(self, sign: str) -> bool:
        word = self._words[self.at]
        return word.kind == SIGN and word.text == sign

    def take_sign(self, sign: str) -> bool:
        """Whether the next word is this sign; if so it is read."""
        if not self.is_sign(sign):
            return False
        self.at += 1
        return True

    def expect_sign(self, sign: str) -> None:
        if not self.take_sign(sign):
            raise self.unexpected(f"Expected {sign}")

    def is_keyword(self, *keywords: str) -> bool:
        """Whether the next words are these, in whatever case."""
        for ahead, keyword in enumerate(keywords):
            word = self.peek(ahead)
            if word.kind != NAME or word.text.upper() != keyword:
                return False
        return True

    def take_keyword(self, *keywords: str) -> bool:
        """Whether the next words are these; if so they are read."""
        if not self.is_keyword(*keywords):
            return False
        self.at += len(keywords)
        return True

    def expect_keyword(self, *keywords: str) -> None:
        if not self.take_keyword(*keywords):
            raise self.unexpected(f"Expected {' '.join(keywords)}")

    def place(self, word: Word) -> str:
        """Where a word stands, as messages say it: line, column and length, counted from 1."""
        before = self._text[: word.start]
        column = word.start - (before.rfind("\n") + 1) + 1
        return f"{before.count(chr(10)) + 1}:{column}:{word.length}"

    def ends(self) -> bool:
        """Whether nothing more comes."""
        return self._words[self.at].kind == END

    def no_term(self) -> AwsError:
        """A ValidationException for a word where a value or a path has to begin."""
        word = self.peek()
        name = word.text.upper() if word.kind == NAME else ""
        if name in OPERATORS or (word.kind == SIGN and word.text in _SIGNS):
            return malformed("Unexpected operator")
        return malformed("Unexpected keyword" if name else "Unexpected term")

    def unexpected(self, reason: str) -> AwsError:
        """A ValidationException about the next word."""
        return malformed(f"{reason}, found: {self.peek().text or 'end of statement'}")


def malformed(reason: str) -> AwsError:
    """What a statement is answered that cannot be read."""
    return invalid(f"Statement wasn't well formed, can't be processed: {reason}")
