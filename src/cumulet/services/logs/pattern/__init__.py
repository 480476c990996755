"""CloudWatch Logs filter patterns, compiled to closures.

The language is AWS's "Filter pattern syntax": plain terms, JSON selectors in braces, space-delimited fields in brackets.
"""

from functools import lru_cache

from cumulet.services.logs.pattern import fields, json, terms
from cumulet.services.logs.pattern.scan import Pattern, PatternError

__all__ = ["Pattern", "PatternError", "compile_pattern"]


@lru_cache(512)
def compile_pattern(text: str) -> Pattern:
    """The matcher for a filter pattern; one without terms matches everything.

    Raises PatternError when the text is not a pattern, NotImplementedHere when it uses regular expressions.
    """
    stripped = text.strip()
    if stripped.startswith("{"):
        return json.compile_json(stripped)
    if stripped.startswith("["):
        return fields.compile_fields(stripped)
    return terms.compile_terms(stripped)
