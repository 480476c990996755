"""A compiled template."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from cumulet.expressions.velocity.parse import Parser
from cumulet.expressions.velocity.render import compile_block, macros_of
from cumulet.expressions.velocity.run import MOST_STEPS, LeaveLoop, Run, Stop
from cumulet.expressions.velocity.tree import VelocityError

_CACHED = 1024
_CACHED_LARGE = 16
_LARGE = 8_192
"""Characters of a template of which few are kept: what it becomes is some hundred times its text."""


class Template:
    """What a template's text means."""

    __slots__ = ("_macros", "_printer", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        try:
            block = Parser(text).parse()
            self._macros = macros_of(block)
            self._printer = compile_block(block)
        except RecursionError as error:
            raise VelocityError("the template is nested too deeply") from error

    def __repr__(self) -> str:
        return f"Template({self.text!r})"

    def render(
        self, references: Mapping[str, Any], *, blank: bool = False, loops: int = 0, steps: int = MOST_STEPS
    ) -> str:
        """What the template prints.

        `references` are texts, numbers, truth values, None, lists, dictionaries (all of which templates may change) and Hosts.
        `blank`: references without a value are empty texts, as in API Gateway, instead of being printed as they are written.
        `loops` is the most times one `#foreach` goes round (0: no limit but that of work), `steps` the most work, in parts of
        some microsecond. Raises VelocityError, TooMuchWork among them.
        """
        run = Run(dict(references), blank=blank, loops=loops, steps=steps)
        run.macros = dict(self._macros)
        try:
            self._printer(run)
        except (Stop, LeaveLoop):
            pass
        except RecursionError as error:
            raise VelocityError("the template goes too deep") from error
        return "".join(run.out)


def compile(text: str) -> Template:
    """The template that a text is, compiled once; raises VelocityError with the line and column of what is wrong."""
    return _small(text) if len(text) <= _LARGE else _large(text)


_small = lru_cache(_CACHED)(Template)
_large = lru_cache(_CACHED_LARGE)(Template)
