"""What a policy asks of a request: the condition keys and variables in it."""

import re
from collections.abc import Iterator

from cumulet.policy.document import Document, Statement

_VARIABLE = re.compile(r"\$\{\s*([^},*?$]+?)\s*(?:,[^}]*)?\}")


def context_keys(document: Document) -> list[str]:
    """The keys as the policy spells them, each once whatever its case, in order of appearance."""
    found: dict[str, str] = {}
    for statement in document.statements:
        for key in _keys_in(statement):
            found.setdefault(key.lower(), key)
    return list(found.values())


def _keys_in(statement: Statement) -> Iterator[str]:
    for texts in (statement.resources or (), statement.not_resources or ()):
        for text in texts:
            yield from _VARIABLE.findall(text)
    for block in statement.conditions.values():
        for key, values in block.items():
            yield key
            for value in values:
                yield from _VARIABLE.findall(value)
