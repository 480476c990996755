"""Properties that keep what was worked out."""

from cumulet.kernel.once import Later, once


class _Thing:
    def __init__(self) -> None:
        self.asked = 0

    @once
    def value(self) -> int:
        """What it says."""
        self.asked += 1
        return 7


def test_it_is_worked_out_once_an_instance() -> None:
    one, other = _Thing(), _Thing()
    assert (one.value, one.value, other.value) == (7, 7, 7)
    assert (one.asked, other.asked) == (1, 1)
    assert _Thing.value.__doc__ == "What it says."


def test_what_is_made_later_is_made_once() -> None:
    later = Later(object)
    assert later.made is None
    assert later() is later() is later.made
