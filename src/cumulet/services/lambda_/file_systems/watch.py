"""Keeps functions from filling the disk, and from using file systems that went away.

No quota of the kernel's holds on every disk. So as long as there are environments that may write to a file system, EFS is asked
every second whether there is room left. When there is none, they are ended, and the next ones mount it read-only.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from cumulet.api import efs
from cumulet.kernel.call import Call, Principal
from cumulet.kernel.errors import AwsError
from cumulet.services.lambda_.targets import Superseded, Target

if TYPE_CHECKING:
    from cumulet.services.lambda_.state import Lambda

log = logging.getLogger(__name__)
EFS_CHANGED = "efs:changed"
"""EFS's signal that a way to a file system changed, with its id."""
_EVERY = 1.0
_FIRST = 30.0
"""Seconds in which an environment is made for a mount that was just asked for."""


class Watch:
    """See the module."""

    def __init__(self, lambda_: Lambda) -> None:
        self._lambda = lambda_
        self._watched: dict[str, asyncio.Task[None]] = {}
        lambda_.signals.subscribe(EFS_CHANGED, self._changed)

    def mounted(self, file_system: str, call: Call) -> None:
        """Somebody is about to write there."""
        if file_system not in self._watched:
            owner = Call(call.account, call.region, Principal.root(call.account), call.request_id)
            task = self._lambda.tasks.start(f"room of {file_system}", self._look_after(file_system, owner))
            self._watched[file_system] = task
            task.add_done_callback(lambda _: self._watched.pop(file_system, None))

    async def _look_after(self, file_system: str, owner: Call) -> None:
        lambda_, loop = self._lambda, asyncio.get_running_loop()
        request = efs.DescribeFileSystemsRequest(file_system_id=file_system)
        last = loop.time() + _FIRST
        while loop.time() < last:
            await asyncio.sleep(_EVERY)
            writers = [key for key in lambda_.compute.held() if file_system in key]
            if writers:
                last = max(last, loop.time() + _EVERY)
            if not await lambda_.calls.run(owner, "efs", "ClientRoom", request):
                log.warning("file system %s is full: its functions cannot write there any more", file_system)
                for key in writers:
                    lambda_.compute.end(key)
                self._changed(file_system.encode())
                return

    def _changed(self, payload: bytes) -> None:
        file_system = payload.decode()
        for target in self._lambda.targets.using(file_system):
            self._lambda.tasks.start("look at file systems again", self._look_again(target))

    async def _look_again(self, target: Target) -> None:
        """End the environments of a function whose file systems are not as they were."""
        lambda_, before = self._lambda, target.spec
        target.spec = None
        try:
            now = (await lambda_.targets.spec(target, lambda_.clock.now())).key
        except (AwsError, Superseded):
            now = ""
        if before is not None and before.key != now:
            await lambda_.compute.retire(before.key)
