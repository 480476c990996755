"""From text to a typed tree."""

from __future__ import annotations

from functools import lru_cache

from cumulet.services.stepfunctions.asl.errors import Diagnostic, InvalidDefinition
from cumulet.services.stepfunctions.asl.machine import Machine
from cumulet.services.stepfunctions.asl.states import Kind
from cumulet.services.stepfunctions.asl.validation import read

# Characters of a definition that is small; a compiled one takes some ten times as much.
_SMALL = 50_000


def compile(definition: str, kind: Kind = "STANDARD") -> Machine:
    """The machine that ``definition`` (JSON text) describes; cached by text. Raises InvalidDefinition.

    A definition of a megabyte takes a second: those that are large belong on a thread.
    """
    return (_small if len(definition) <= _SMALL else _large)(definition, kind)


@lru_cache(maxsize=512)
def _small(definition: str, kind: Kind) -> Machine:
    return _compiled(definition, kind)


@lru_cache(maxsize=16)
def _large(definition: str, kind: Kind) -> Machine:
    return _compiled(definition, kind)


def _compiled(definition: str, kind: Kind) -> Machine:
    document, diagnostics = read(definition, kind)
    if document is None or any(found.severity == "ERROR" for found in diagnostics):
        raise InvalidDefinition(diagnostics)
    return Machine(definition, document)


def validate(definition: str, kind: Kind = "STANDARD") -> list[Diagnostic]:
    """What AWS's validator finds, errors and warnings; never raises."""
    return read(definition, kind)[1]
