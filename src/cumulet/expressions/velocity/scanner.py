"""A place in a template's text."""

import re
from collections.abc import Callable

from cumulet.expressions.velocity.tree import Block, VelocityError

_BLANKS = re.compile(r"[ \t\r\n]*")


class Scanner:
    """Reads `text` from `at` on. `template` parses the inside of texts in double quotes; `ending`: an `#end` or `#else` was read."""

    __slots__ = ("_begin", "_counted", "_line", "at", "depth", "ending", "template", "text")

    def __init__(self, text: str, template: Callable[[str], Block]) -> None:
        self.text = text
        self.at = 0
        self.depth = 0
        self.ending = False
        self.template = template
        self._counted = 0
        self._line = 1
        self._begin = -1

    @property
    def here(self) -> str:
        """The character at this place, or an empty text behind the end."""
        return self.text[self.at : self.at + 1]

    def blanks(self) -> None:
        """Go over white space."""
        found = _BLANKS.match(self.text, self.at)
        assert found is not None
        self.at = found.end()

    def take(self, token: str) -> bool:
        """Go over `token`, if it is here."""
        if self.text.startswith(token, self.at):
            self.at += len(token)
            return True
        return False

    def place(self, at: int) -> tuple[int, int]:
        """The line and column of a place, from 1; counted on from the place that was asked for before."""
        if at < self._counted:
            self._counted, self._line, self._begin = 0, 1, -1
        self._line += self.text.count("\n", self._counted, at)
        self._begin = max(self._begin, self.text.rfind("\n", self._counted, at))
        self._counted = at
        return self._line, at - self._begin

    def fail(self, message: str) -> VelocityError:
        """The error to raise about this place."""
        return VelocityError(message, *self.place(self.at))
