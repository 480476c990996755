"""Where in a definition a check is made."""

from __future__ import annotations

from cumulet.services.stepfunctions.asl.states import Kind, QueryLanguage


class Place:
    """``language`` of the state, ``machine_language`` of the whole, ``kind`` of the execution it runs in; ``caught``: in a Catch."""

    __slots__ = ("caught", "kind", "language", "machine_language")

    def __init__(
        self, language: QueryLanguage, machine_language: QueryLanguage, kind: Kind, caught: bool = False
    ) -> None:
        self.language = language
        self.machine_language = machine_language
        self.kind = kind
        self.caught = caught

    @property
    def jsonata(self) -> bool:
        """Whether expressions are JSONata here."""
        return self.language == "JSONata"

    def of(self, language: QueryLanguage) -> Place:
        """The same with a state's own language."""
        return Place(language, self.machine_language, self.kind, self.caught)

    def catching(self) -> Place:
        """The same in a Catch."""
        return Place(self.language, self.machine_language, self.kind, True)

    def within(self, kind: Kind) -> Place:
        """Inside an item processor or a branch: the machine's language again."""
        return Place(self.machine_language, self.machine_language, kind)
