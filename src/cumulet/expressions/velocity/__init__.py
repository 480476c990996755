"""Velocity's template language as version 1.7 has it, which API Gateway uses: compiled to closures, cached by text.

https://velocity.apache.org/engine/1.7/vtl-reference.html
"""

from cumulet.expressions.velocity.run import MOST_STEPS, TooMuchWork
from cumulet.expressions.velocity.template import Template, compile
from cumulet.expressions.velocity.tree import VelocityError
from cumulet.expressions.velocity.values import Host, JsonList, NoSuchMethod, to_json, to_text

__all__ = [
    "MOST_STEPS",
    "Host",
    "JsonList",
    "NoSuchMethod",
    "Template",
    "TooMuchWork",
    "VelocityError",
    "compile",
    "to_json",
    "to_text",
]
