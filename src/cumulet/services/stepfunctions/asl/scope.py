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

    __slots__ = ("context", "now", "patience", "random", "variables")

    def __init__(
        self,
        context: Mapping[str, Any],
        variables: Mapping[str, Any] = _NOTHING,
        *,
        random: random_module.Random | None = None,
        now: Callable[[], int] | None = None,
        patience: Patience = _ENDLESS,
    ) -> None:
        self.context = context
        self.variables = variables
        self.random = random or random_module.SystemRandom()
        self.now = now
        self.patience = patience

    def within(self, context: Mapping[str, Any]) -> Scope:
        """The same with another context object."""
        return Scope(context, self.variables, random=self.random, now=self.now, patience=self.patience)
