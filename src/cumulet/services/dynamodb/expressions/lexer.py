"""The words of an expression, and what DynamoDB says of one that is out of place."""

import re
from typing import NoReturn

from cumulet.kernel.errors import AwsError
from cumulet.services.dynamodb.errors import invalid

MOST_BYTES = 4096
"""An expression's length at most, in UTF-8."""
END = ""
"""What stands where the text ends."""

_WORD = re.compile(r"[#:][A-Za-z0-9_]+|[A-Za-z][A-Za-z0-9_]*|[0-9]+|<=|<>|>=|[^ \t\r\n]")


class Words:
    """A text as words, read one after another. `parameter` is the request's, such as `FilterExpression`."""

    __slots__ = ("_starts", "_text", "_texts", "at", "parameter")

    def __init__(self, text: str, parameter: str) -> None:
        self.parameter = parameter
        self._text = text
        self._texts: list[str] = []
        self._starts: list[int] = []
        self.at = 0
        for match in _WORD.finditer(text):
            self._texts.append(match[0])
            self._starts.append(match.start())
        self._texts.append(END)
        self._starts.append(len(text))

    def peek(self, ahead: int = 0) -> str:
        """The next word, or one after it; `END` beyond the last."""
        at = self.at + ahead
        return self._texts[at] if at < len(self._texts) else END

    def next(self) -> str:
        word = self._texts[self.at]
        if word:
            self.at += 1
        return word

    def take(self, word: str) -> bool:
        """Whether the next word is this one; if so it is read."""
        if self._texts[self.at] != word:
            return False
        self.at += 1
        return True

    def expect(self, word: str) -> None:
        if self._texts[self.at] != word:
            self.fail()
        self.at += 1

    def fail(self) -> NoReturn:
        """Refuse the next word, shown between its neighbours as they are written."""
        at = self.at
        first = max(at - 1, 0)
        last = at + 1 if self._texts[at] and self._texts[at + 1] else at
        near = self._text[self._starts[first] : self._starts[last] + len(self._texts[last])].rstrip()
        raise self.refuse(f'Syntax error; token: "{self._texts[at] or "<EOF>"}", near: "{near}"')

    def refuse(self, reason: str) -> AwsError:
        return refuse(self.parameter, reason)


def read(text: str, parameter: str) -> Words:
    """The words of an expression that is neither empty nor too long. Raises ValidationException."""
    size = len(text) if text.isascii() else len(text.encode())
    if size > MOST_BYTES:
        raise refuse(parameter, f"Expression size has exceeded the maximum allowed size; expression size: {size}")
    words = Words(text, parameter)
    if not words.peek():
        raise refuse(parameter, "The expression can not be empty;")
    return words


def refuse(parameter: str, reason: str) -> AwsError:
    """A ValidationException about the expression in that parameter; PartiQL's conditions are in none (\"\")."""
    return invalid(f"Invalid {parameter}: {reason}" if parameter else reason)


def is_name(word: str) -> bool:
    """Whether a word can be an attribute's name or a placeholder of one."""
    return (word[:1].isalpha() and word.isascii()) or (len(word) > 1 and word[0] == "#")


def is_value(word: str) -> bool:
    """Whether a word is a placeholder of a value."""
    return len(word) > 1 and word[0] == ":"
