"""Plain terms: `ERROR "disk full" -debug`, or `?this ?that`."""

import re
from collections.abc import Callable

from cumulet.services.logs.pattern.scan import Pattern, PatternError, refuse_regex, unescape

_Matcher = Callable[[str], bool]

_TERM = re.compile(r'\s*([?-]?)(?:"((?:[^"\\]|\\.)*)"|(\S+))')
_PLAIN = re.compile(r"[\w.*/@#-]+")


def compile_terms(text: str) -> Pattern:
    """All terms must be in the message, none of the excluded; `?` terms, where any will do, count only when alone."""
    required: list[str] = []
    optional: list[str] = []
    excluded: list[str] = []
    at = 0
    while at < len(text):
        found = _TERM.match(text, at)
        assert found is not None
        at = found.end()
        sign, quoted, plain = found.groups()
        {"": required, "?": optional, "-": excluded}[sign].append(_term(quoted, plain))
    if required or excluded:
        return Pattern(_all_and_none(required, excluded), _nothing)
    return Pattern(_any(optional), _nothing)


def _term(quoted: str | None, plain: str) -> str:
    if quoted is not None:
        return unescape(quoted)
    refuse_regex(plain)
    if not _PLAIN.fullmatch(plain):
        raise PatternError(f"Invalid character(s) in term '{plain}'")
    return plain


def _all_and_none(required: list[str], excluded: list[str]) -> _Matcher:
    if len(required) == 1 and not excluded:
        only = required[0]
        return lambda message: only in message

    def matches(message: str) -> bool:
        return all(term in message for term in required) and not any(term in message for term in excluded)

    return matches


def _any(optional: list[str]) -> _Matcher:
    if not optional:
        return lambda _message: True
    return lambda message: any(term in message for term in optional)


def _nothing(_message: str) -> dict[str, str]:
    return {}
