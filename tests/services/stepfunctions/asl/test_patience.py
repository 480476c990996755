"""How long an evaluation may take."""

import pytest

from cumulet.services.stepfunctions.asl.errors import StatesError
from cumulet.services.stepfunctions.asl.patience import Elsewhere, Patience


def test_what_other_processes_used_counts() -> None:
    patience = Patience()
    patience.begin(here=False)
    patience.spend(4)
    patience.check()
    patience.spend(7)
    with pytest.raises(StatesError, match="takes too long"):
        patience.check()
    patience.begin(here=False)
    patience.check()


def test_the_event_loop_is_held_for_milliseconds() -> None:
    patience = Patience()
    patience.begin(here=True)
    with pytest.raises(Elsewhere):
        while True:
            patience.check()
