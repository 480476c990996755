"""A place in a text, from which the parts of a path are read."""

from cumulet.expressions.jsonpath.tree import JsonPathError

_BLANKS = " \t\r\n"
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_HEX_DIGITS = 4


class Cursor:
    """Reads `text` from `at` on; the characters' positions are those of errors."""

    __slots__ = ("at", "depth", "text")

    def __init__(self, text: str, at: int = 0) -> None:
        self.text = text
        self.at = at
        self.depth = 0

    @property
    def here(self) -> str:
        """The character at this place, or an empty text behind the end."""
        return self.text[self.at : self.at + 1]

    def fail(self, message: str, at: int | None = None) -> JsonPathError:
        """The error to raise about this place, or another."""
        return JsonPathError(message, self.at if at is None else at)

    def blanks(self) -> None:
        """Go over white space."""
        text, at = self.text, self.at
        while at < len(text) and text[at] in _BLANKS:
            at += 1
        self.at = at

    def take(self, token: str) -> bool:
        """Go over blanks and `token`, if that is what follows."""
        self.blanks()
        if not self.text.startswith(token, self.at):
            return False
        self.at += len(token)
        return True

    def expect(self, token: str, what: str) -> None:
        """Go over blanks and `token`; raises JsonPathError when something else is there."""
        if not self.take(token):
            raise self.fail(f"expected '{token}' {what}, found {self.described()}")

    def described(self) -> str:
        """This place, for a message."""
        return f"'{self.here}'" if self.here else "the end"

    def quoted(self) -> str:
        """A text between the quotes that are here, its escapes replaced."""
        quote, start = self.here, self.at
        parts: list[str] = []
        self.at += 1
        while self.here != quote:
            if not self.here:
                raise self.fail(f"a text that begins with {quote} does not end", start)
            if self.here == "\\":
                parts.append(self._escaped())
            else:
                parts.append(self.here)
                self.at += 1
        self.at += 1
        return "".join(parts)

    def _escaped(self) -> str:
        letter = self.text[self.at + 1 : self.at + 2]
        if not letter:
            raise self.fail("nothing follows the last '\\'")
        if letter == "u":
            digits = self.text[self.at + 2 : self.at + 2 + _HEX_DIGITS]
            try:
                code = int(digits, 16) if len(digits) == _HEX_DIGITS else -1
            except ValueError:
                code = -1
            if code < 0:
                raise self.fail("\\u is followed by four hexadecimal digits")
            self.at += 2 + _HEX_DIGITS
            return chr(code)
        self.at += 2
        return _ESCAPES.get(letter, letter)
