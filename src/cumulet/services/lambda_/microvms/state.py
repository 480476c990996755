"""What the operations of MicroVMs share."""

import hmac
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from cumulet.compute import Compute
from cumulet.kernel.call import Call
from cumulet.kernel.calls import Calls
from cumulet.kernel.clock import Clock
from cumulet.kernel.tasks import Tasks
from cumulet.services.lambda_.access.credentials import CredentialCache
from cumulet.services.lambda_.images.images import Images
from cumulet.services.lambda_.microvms.errors import no_image, no_microvm, no_version, terminated
from cumulet.services.lambda_.microvms.limits import Limits
from cumulet.services.lambda_.microvms.model import TERMINATED, Image, Microvm, Version
from cumulet.services.lambda_.microvms.names import ImageKey, vm_id
from cumulet.services.lambda_.microvms.store import MicrovmStore
from cumulet.services.lambda_.microvms.tokens import Tokens
from cumulet.services.lambda_.reporting.logs import LogWriter
from cumulet.storage.database import Database, Transaction

if TYPE_CHECKING:
    from cumulet.services.lambda_.microvms.builds import Builder
    from cumulet.services.lambda_.microvms.front import MicrovmFront
    from cumulet.services.lambda_.microvms.life import Life

_RENEWED_BEFORE = 900.0
"""Seconds before their end at which the cache renews credentials."""


class Microvms:
    """The service's parts. `builder` and `front` are set by `build`; `lives` are the MicroVMs that have not ended, by id."""

    builder: "Builder"
    front: "MicrovmFront"

    def __init__(  # noqa: PLR0913  the composition root passes each part once
        self,
        *,
        db: Database,
        store: MicrovmStore,
        images: Images,
        credentials: CredentialCache,
        logs: LogWriter,
        tokens: Tokens,
        compute: Compute,
        calls: Calls,
        clock: Clock,
        wall: Callable[[], float],
        tasks: Tasks,
        limits: Limits,
        folder: Path,
        machine: str,
        credentials_path: str,
    ) -> None:
        """`folder` is for the layers of images alone; `machine` is this machine's architecture, as AWS's models name it."""
        self.db = db
        self.store = store
        self.images = images
        self.credentials = credentials
        self.logs = logs
        self.tokens = tokens
        self.compute = compute
        self.calls = calls
        self.clock = clock
        self.wall = wall
        self.tasks = tasks
        self.limits = limits
        self.folder = folder
        self.machine = machine
        self.credentials_path = credentials_path
        self.lives: dict[str, Life] = {}

    async def image(self, key: ImageKey, within: Transaction | None = None) -> Image:
        """Raises ResourceNotFoundException."""
        found = await self.store.image(key, within)
        if found is None:
            raise no_image(key.arn)
        return found

    async def version(self, key: ImageKey, number: str, within: Transaction | None = None) -> Version:
        """Raises ResourceNotFoundException."""
        found = await self.store.version(key, number, within)
        if found is None:
            raise no_version(key.arn, number)
        return found

    async def microvm(self, call: Call, identifier: str) -> Microvm:
        """One of the caller's account and region, as it is now. Raises ResourceNotFoundException."""
        id = vm_id(call, identifier)
        life = self.lives.get(id)
        found = life.vm if life is not None else await self.store.microvm(id)
        if found is None or (found.account, found.region) != (call.account, call.region):
            raise no_microvm(id)
        return found

    async def life(self, call: Call, identifier: str) -> "Life":
        """One that has not ended. Raises ResourceNotFoundException and, where it has ended, ValidationException."""
        vm = await self.microvm(call, identifier)
        life = self.lives.get(vm.id)
        if life is None or vm.state == TERMINATED:
            raise terminated(vm.id)
        return life

    def used(self, key: ImageKey, number: str | None = None) -> bool:
        """Whether a MicroVM runs of the image, or of that version of it."""
        return any(
            life.vm.image_arn == key.arn and number in {None, life.vm.version} and life.vm.account == key.account
            for life in self.lives.values()
        )

    async def credentials_of(self, secret: str) -> dict[str, str] | None:
        """Of the role of the MicroVM that has this secret, as SDKs take them; None where none has. Raises as AssumeRole does."""
        shown = secret.encode()
        same = (one for one in self.lives.values() if shown and hmac.compare_digest(one.secret.encode(), shown))
        life = next(same, None)
        if life is None or life.vm.role is None:
            return None
        found = await self.credentials.get(life.vm, life.vm.id, life.vm.role)
        until = self.wall() + (found.renew - self.clock.now()) + _RENEWED_BEFORE
        variables = found.variables
        return {
            "AccessKeyId": variables["AWS_ACCESS_KEY_ID"],
            "SecretAccessKey": variables["AWS_SECRET_ACCESS_KEY"],
            "Token": variables.get("AWS_SESSION_TOKEN", ""),
            "Expiration": f"{datetime.fromtimestamp(until, UTC):%Y-%m-%dT%H:%M:%SZ}",
            "RoleArn": life.vm.role,
        }

    async def keep(self, vm: Microvm) -> None:
        """Make what became of a MicroVM durable."""
        async with self.db.transaction() as tx:
            await self.store.put_microvm(tx, vm)
