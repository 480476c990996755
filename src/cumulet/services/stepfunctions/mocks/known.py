"""The configurations that a node knows: that of its setting, and what clients have given since."""

from __future__ import annotations

import logging
from collections import OrderedDict
from pathlib import Path

from cumulet.services.stepfunctions.mocks.configuration import Case, Configuration, MockError, parse

log = logging.getLogger(__name__)

_MOST = 1_000


class KnownMocks:
    """Test cases by account, machine and name. `file` is looked at again whenever it has changed; it is for every account."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._read: tuple[float, Configuration] | None = None
        self._given: OrderedDict[str, Configuration] = OrderedDict()

    def give(self, account: str, text: bytes | str) -> Configuration:
        """Take a configuration for one account, in place of what it had given before. Raises MockError."""
        configuration = parse(text)
        self._given[account] = configuration
        self._given.move_to_end(account)
        if len(self._given) > _MOST:
            self._given.popitem(last=False)
        return configuration

    def forget(self, account: str) -> None:
        """Drop what an account has given."""
        self._given.pop(account, None)

    def find(self, account: str, machine: str, case: str) -> Case | None:
        """The test case of that name, of what the account gave or else of the file."""
        given = self._given.get(account)
        if given is not None and (found := given.cases.get((machine, case))) is not None:
            return found
        configuration = self._of_file()
        return None if configuration is None else configuration.cases.get((machine, case))

    def has(self, account: str, machine: str, case: str) -> bool:
        """Whether there is a test case of that name."""
        return self.find(account, machine, case) is not None

    def _of_file(self) -> Configuration | None:
        if self._file is None:
            return None
        try:
            changed = self._file.stat().st_mtime
            if self._read is None or self._read[0] != changed:
                self._read = (changed, parse(self._file.read_bytes()))
        except (OSError, MockError) as error:
            log.warning("the mock configuration %s is not used: %s", self._file, error)
            return None
        return self._read[1]
