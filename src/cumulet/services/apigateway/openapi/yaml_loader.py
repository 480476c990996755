"""YAML as version 1.2 has it: `no`, `on`, dates and `1:30` are texts; nothing but plain data is made, within bounds."""

from __future__ import annotations

import re
from typing import Any

import yaml
from yaml.composer import Composer

try:
    from yaml import CSafeLoader as Safe
except ImportError:  # PyYAML was built without its C library
    from yaml import SafeLoader as Safe  # type: ignore[assignment]

_BOOLEAN = "tag:yaml.org,2002:bool"
_DATE = "tag:yaml.org,2002:timestamp"
_INTEGER = "tag:yaml.org,2002:int"
_FLOAT = "tag:yaml.org,2002:float"
_DEEPEST = 100
_MOST_NODES = 250_000
_MOST_MERGED = 100_000


class TooLarge(ValueError):
    """A document with too many nodes, or nested too deeply."""


class Loader(Composer, Safe):
    """A safe loader with fewer surprises.

    Nodes are put together by PyYAML's own composer, since that of its C library goes as deep as the document does, and ends the
    process where the stack ends.
    """

    def __init__(self, stream: Any) -> None:
        Safe.__init__(self, stream)
        Composer.__init__(self)
        self._depth = 0
        self._nodes = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        self._depth += 1
        self._nodes += 1
        if self._depth > _DEEPEST or self._nodes > _MOST_NODES:
            raise TooLarge
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def flatten_mapping(self, node: Any) -> None:
        """`<<: *other`, which ten times ten times could make a small text endless."""
        super().flatten_mapping(node)
        self._nodes += len(node.value)
        if self._nodes > _MOST_NODES or len(node.value) > _MOST_MERGED:
            raise TooLarge


Loader.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in resolvers if tag not in {_BOOLEAN, _DATE, _INTEGER, _FLOAT}]
    for letter, resolvers in Safe.yaml_implicit_resolvers.items()
}
_SCALARS = {
    _BOOLEAN: ("tTfF", r"(?:true|false|True|False|TRUE|FALSE)\Z"),
    _INTEGER: (
        "-+0123456789",
        r"(?:[-+]?0b[01_]{1,60}|[-+]?0[0-7_]{1,20}|[-+]?(?:0|[1-9][0-9_]{0,17})|[-+]?0x[0-9a-fA-F_]{1,15})\Z",
    ),
    _FLOAT: (
        "-+0123456789.",
        r"(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF))\Z",
    ),
}
for _tag, (_first, _pattern) in _SCALARS.items():
    Loader.add_implicit_resolver(_tag, re.compile(_pattern), list(_first))


class Dumper(yaml.SafeDumper):
    """Writes what comes twice twice: readers need not know anchors."""

    def ignore_aliases(self, _: Any) -> bool:
        return True


def dump(value: Any) -> str:
    """Plain data as YAML, in its own order."""
    text: str = yaml.dump(value, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=1_000_000)
    return text
