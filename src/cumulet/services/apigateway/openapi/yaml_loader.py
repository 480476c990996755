"""YAML as version 1.2 has it: `no`, `on` and dates are texts; nothing but plain data is made."""

import re
from typing import Any

import yaml

try:
    from yaml import CSafeLoader as Safe
except ImportError:  # PyYAML was built without its C library
    from yaml import SafeLoader as Safe  # type: ignore[assignment]

_BOOLEAN = "tag:yaml.org,2002:bool"
_DATE = "tag:yaml.org,2002:timestamp"


class Loader(Safe):
    """A safe loader with fewer surprises."""


Loader.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in resolvers if tag not in {_BOOLEAN, _DATE}]
    for letter, resolvers in Safe.yaml_implicit_resolvers.items()
}
Loader.add_implicit_resolver(_BOOLEAN, re.compile(r"true|false|True|False|TRUE|FALSE"), list("tTfF"))


class Dumper(yaml.SafeDumper):
    """Writes what comes twice twice: readers need not know anchors."""

    def ignore_aliases(self, _: Any) -> bool:
        return True


def dump(value: Any) -> str:
    """Plain data as YAML, in its own order."""
    text: str = yaml.dump(value, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=1_000_000)
    return text
