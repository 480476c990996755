"""What a state can see beside its input."""

from __future__ import annotations

import random as random_module
from collections.abc import Callable, Mapping
from typing import Any

from cumulet.services.stepfunctions.asl.patience import Patience

_NOTHING: Mapping[str, Any] = {}
_ENDLESS = Patience()


class Scope:
    """What a state can see beside its input.

    ``context``: the context object (``$$``, ``$states.context``), as JSON values; the engine makes it, with
    ``State``, ``Execution``, ``StateMachine``, ``Task.Token`` and ``Map.Item`` where they are known.
    ``variables``: what outer scopes and this one have assigned so far (never written to here).
    ``random``: what ``States.UUID``, ``States.MathRandom``, ``$random`` and jitter draw from.
    ``now``: gives milliseconds since 1970, for ``$now()`` and ``$millis()`` (1970 without it), and how long a Wait is.
    ``patience``: how long evaluations may take and how much they may make; without it, as they like.
    """

    __slots__ = ("_context", "now", "patience", "random", "variables")

    _context: Mapping[str, Any] | None

    def __init__(
        self,
        context: Mapping[str, Any],
        variables: Mapping[str, Any] = _NOTHING,
        *,
        random: random_module.Random | None = None,
        now: Callable[[], int] | None = None,
        patience: Patience = _ENDLESS,
    ) -> None:
        self._context = context
        self.variables = variables
        self.random = random or random_module.SystemRandom()
        self.now = now
        self.patience = patience

    @property
    def context(self) -> Mapping[str, Any]:
        """The context object."""
        found = self._context
        if found is None:
            found = self._context = self.seen()
        return found

    def seen(self) -> Mapping[str, Any]:
        """Makes the context object where none was given."""
        return _NOTHING

    def within(self, context: Mapping[str, Any]) -> Scope:
        """The same with another context object."""
        return Scope(context, self.variables, random=self.random, now=self.now, patience=self.patience)
