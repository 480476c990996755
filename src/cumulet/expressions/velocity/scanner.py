"""A place in a template's text."""

import re
from collections.abc import Callable

from cumulet.expressions.velocity.tree import Block, VelocityError

_BLANKS = re.compile(r"[ \t\r\n]*")


class Scanner:
    """Reads `text` from `at` on. `template` parses the inside of texts in double quotes; `ending`: an `#end` or `#else` was read."""

    __slots__ = ("at", "depth", "ending", "template", "text")

    def __init__(self, text: str, template: Callable[[str], Block]) -> None:
        self.text = text
        self.at = 0
        self.depth = 0
        self.ending = False
        self.template = template

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

    def line(self, at: int) -> int:
        """The line of a place, from 1."""
        return self.text.count("\n", 0, at) + 1

    def fail(self, message: str) -> VelocityError:
        """The error to raise about this place."""
        return VelocityError(message, self.line(self.at), self.at - self.text.rfind("\n", 0, self.at))
