"""Findings as they are made."""

from __future__ import annotations

from cumulet.services.stepfunctions.asl.errors import Diagnostic

SCHEMA = "SCHEMA_VALIDATION_FAILED"

# A definition of a megabyte could have a finding in every byte.
_MOST = 1000


class Report:
    """The findings of one definition, in the order they were made."""

    def __init__(self) -> None:
        self.found: list[Diagnostic] = []

    @property
    def failed(self) -> bool:
        """Whether there is an error among them."""
        return any(one.severity == "ERROR" for one in self.found)

    def error(self, message: str, location: str | None, code: str = SCHEMA) -> None:
        """An error at ``location`` (such as ``/States/Hello``)."""
        if len(self.found) < _MOST:
            self.found.append(Diagnostic("ERROR", code, message, location))

    def warn(self, code: str, message: str, location: str) -> None:
        """A warning."""
        if len(self.found) < _MOST:
            self.found.append(Diagnostic("WARNING", code, message, location))
