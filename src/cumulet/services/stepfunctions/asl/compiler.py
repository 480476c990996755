"""From text to a typed tree."""

from __future__ import annotations

from cumulet.services.stepfunctions.asl.errors import Diagnostic
from cumulet.services.stepfunctions.asl.states import Kind, Machine


def compile(definition: str, kind: Kind = "STANDARD") -> Machine:
    """The machine that ``definition`` (JSON text) describes; cached by text. Raises InvalidDefinition."""
    raise NotImplementedError


def validate(definition: str, kind: Kind = "STANDARD") -> list[Diagnostic]:
    """What AWS's validator finds, errors and warnings; never raises."""
    raise NotImplementedError
