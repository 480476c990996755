"""Whether writers come together, so that it pays to have one commit for all of them."""

import asyncio

# So many groups of one have to follow each other before a writer is taken for the only one again.
_MEMORY = 8


class Company:
    """What is known of it: how many came of late, and whether one had its commit in this turn of the loop already."""

    def __init__(self) -> None:
        self._expected = 0
        self._one_came = False
        self._loop: asyncio.AbstractEventLoop | None = None

    def comes(self) -> bool:
        """A writer is here: whether it had better wait for others. One that need not has the turn of the loop for itself:
        so nobody who writes again and again keeps the loop from its other work, and who comes with others is found."""
        if self._expected:
            return True
        if self._one_came:
            self._expected = _MEMORY
            return True
        self._one_came = True
        loop = self._loop
        if loop is None:
            loop = self._loop = asyncio.get_running_loop()
        loop.call_soon(self._turn_ended)
        return False

    def came(self, count: int) -> None:
        """So many had one commit."""
        if count > 1:
            self._expected = _MEMORY
        elif self._expected:
            self._expected -= 1

    def _turn_ended(self) -> None:
        self._one_came = False
