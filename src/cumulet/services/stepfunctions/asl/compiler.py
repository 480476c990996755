"""From text to a typed tree."""

from __future__ import annotations

from functools import lru_cache

from cumulet.services.stepfunctions.asl.errors import Diagnostic, InvalidDefinition
from cumulet.services.stepfunctions.asl.machine import Machine
from cumulet.services.stepfunctions.asl.states import Kind
from cumulet.services.stepfunctions.asl.validation import read


@lru_cache(maxsize=512)
def compile(definition: str, kind: Kind = "STANDARD") -> Machine:
    """The machine that ``definition`` (JSON text) describes; cached by text. Raises InvalidDefinition."""
    document, diagnostics = read(definition, kind)
    if document is None or any(found.severity == "ERROR" for found in diagnostics):
        raise InvalidDefinition(diagnostics)
    return Machine(definition, document)


def validate(definition: str, kind: Kind = "STANDARD") -> list[Diagnostic]:
    """What AWS's validator finds, errors and warnings; never raises."""
    return read(definition, kind)[1]
