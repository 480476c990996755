"""What is wrong with a JSON text, in the words of the parser that AWS uses (Jackson)."""

from __future__ import annotations

import json
import re

import msgspec

_WORD = re.compile(r"[A-Za-z_$][\w$]*")
_TOKENS = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')"
# Jackson shows so much of its source.
_SHOWN = 500


class BadText(Exception):
    """No JSON: ``message``, and ``source`` as Jackson writes where ("[Source: (String)\"...\"; line: 1, column: 4]")."""

    def __init__(self, message: str, source: str) -> None:
        super().__init__(message)
        self.message = message
        self.source = source


def parse(text: str) -> object:
    """The value of a JSON text; raises BadText."""
    try:
        return msgspec.json.decode(text)
    except RecursionError:
        raise BadText("Document nesting depth exceeds the maximum allowed", _source(text, len(text))) from None
    except (msgspec.DecodeError, UnicodeError):
        pass
    try:
        json.loads(text)
    except json.JSONDecodeError as wrong:
        raise _described(text, wrong) from None
    except (ValueError, RecursionError) as wrong:
        raise BadText(str(wrong), _source(text, 0)) from None
    raise BadText("Unexpected character", _source(text, 0))


def _described(text: str, wrong: json.JSONDecodeError) -> BadText:
    at = wrong.pos
    while at < len(text) and text[at].isspace():
        at += 1
    if at >= len(text):
        return BadText("Unexpected end-of-input", _source(text, len(text)))
    word = _WORD.match(text, at)
    if "property name" in wrong.msg:
        return BadText(
            f"Unexpected character ({_letter(text[at])}): was expecting double-quote to start field name",
            _source(text, at + 1),
        )
    if "delimiter" in wrong.msg:
        wanted = "colon to separate field name and value" if ":" in wrong.msg else "comma to separate entries"
        return BadText(f"Unexpected character ({_letter(text[at])}): was expecting {wanted}", _source(text, at + 1))
    if word is not None:
        return BadText(f"Unrecognized token '{word.group(0)}': was expecting {_TOKENS}", _source(text, word.end()))
    if "control character" in wrong.msg:
        code = f"Illegal unquoted character ((CTRL-CHAR, code {ord(text[at])})): has to be escaped using backslash"
        return BadText(code, _source(text, at + 1))
    return BadText(
        f"Unexpected character ({_letter(text[at])}): expected a valid value {_TOKENS}", _source(text, at + 1)
    )


def _letter(letter: str) -> str:
    return f"'{letter}' (code {ord(letter)})"


def _source(text: str, at: int) -> str:
    line = text.count("\n", 0, at) + 1
    column = at - (text.rfind("\n", 0, at) + 1) + 1
    more = f"[truncated {len(text) - _SHOWN} chars]" if len(text) > _SHOWN else ""
    return f'[Source: (String)"{text[:_SHOWN]}"{more}; line: {line}, column: {column}]'
