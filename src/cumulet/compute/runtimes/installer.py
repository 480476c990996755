"""Installing a runtime for the function that wants it, where the node was told to."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from cumulet.compute.runtimes import found, java

log = logging.getLogger(__name__)


class Installer:
    """One at a time. `folder` and `search_path` are as `install` takes them."""

    def __init__(self, folder: Path, search_path: str, *, allowed: bool) -> None:
        self._folder = folder
        self._search_path = search_path
        self._allowed = allowed
        self._turn = asyncio.Lock()

    async def provide(self, name: str, has: Callable[[], bool]) -> None:
        """Install what is missing, if that is allowed and possible; what goes wrong is in the log."""
        if not self._allowed or has() or not found.installable(name):
            return
        from cumulet.compute.runtimes.install import JAVA, NotInstalled, install  # noqa: PLC0415  few nodes need it

        # a machine with that Java lacks AWS's client alone
        parts = [JAVA, name] if name in java.NAMES and not java.client_folder(self._folder).exists() else [name]
        async with self._turn:
            for part in parts:
                if has():
                    return
                try:
                    await asyncio.to_thread(install, part, self._folder, self._search_path, log.info)
                except NotInstalled as error:
                    log.warning("%s could not be installed: %s", name, error)
