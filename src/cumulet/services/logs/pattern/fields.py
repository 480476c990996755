"""Space-delimited fields: `[ip, user, ..., status = 4* && status != 404, bytes > 1000]`."""

import re
from itertools import islice

from cumulet.services.logs.pattern.scan import Pattern, Scanner, Test

_NAME = re.compile(r"\w+")
# Text in brackets ends at the next bracket of either kind, so that a line of nothing but `[` is read once only.
_TOKEN = re.compile(r'\[([^\[\]]*)\]|"((?:[^"\\]|\\.)*)"|(\S+)')
_LONGEST = 64 * 1024
_REST = "..."

Field = tuple[str, Test | None]


def compile_fields(text: str) -> Pattern:
    """A message matches when it has as many fields as the pattern (at least as many with `...`), and each satisfies its condition.

    Fields are divided by spaces; what stands in brackets or double quotes is one field.
    """
    before, after, open_ended = _parse(text)
    names = [name for name, _ in before], [name for name, _ in after]
    count = len(before) + len(after)

    def matches(message: str) -> bool:
        if not count:
            return True
        values = _split(message, None if open_ended else count + 1)
        if len(values) < count or (len(values) > count and not open_ended):
            return False
        pairs = [*zip(before, values, strict=False), *zip(reversed(after), reversed(values), strict=False)]
        return all(test is None or test(value) for (_, test), value in pairs)

    def extract(message: str) -> dict[str, str]:
        values = _split(message)
        middle = [str(number + 1) for number in range(len(before), len(values) - len(after))]
        return {f"${name}": value for name, value in zip([*names[0], *middle, *names[1]], values, strict=False)}

    return Pattern(matches, extract)


def _split(message: str, most: int | None = None) -> list[str]:
    """The first `most` fields of a message."""
    tokens = islice(_TOKEN.finditer(message[:_LONGEST]), most)
    return [next(part for part in found.groups() if part is not None) for found in tokens]


def _parse(text: str) -> tuple[list[Field], list[Field], bool]:
    scanner = Scanner(text)
    before: list[Field] = []
    after: list[Field] = []
    fields, open_ended = before, False
    scanner.expect("[")
    while not scanner.literal("]"):
        if scanner.literal(_REST):
            if open_ended:
                raise scanner.error("a second ...")
            fields, open_ended = after, True
        else:
            fields.append(_field(scanner))
        if not scanner.literal(",") and not scanner.text.startswith("]", scanner.at):
            raise scanner.error("expected , or ]")
    if not scanner.done():
        raise scanner.error("text after the closing bracket")
    return before, after, open_ended


def _field(scanner: Scanner) -> Field:
    start = scanner.at
    name = scanner.take(_NAME)
    if name is None:
        raise scanner.error("expected a field name")
    scanner.skip()
    if scanner.text[scanner.at : scanner.at + 1] in (",", "]"):
        return name, None
    scanner.at = start
    return name, scanner.logic(lambda: _condition(scanner, name))


def _condition(scanner: Scanner, name: str) -> Test:
    if scanner.take(_NAME) != name:
        raise scanner.error(f"expected a condition on {name}")
    return scanner.comparison()
