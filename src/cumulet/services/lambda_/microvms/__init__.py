"""MicroVMs: programs of an image that run for long, singly, each at an address of its own, and can be suspended.

https://docs.aws.amazon.com/lambda/latest/dg/microvms.html
"""

from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace

from cumulet.api.lambda_microvms import OPERATIONS
from cumulet.compute import Compute
from cumulet.kernel.calls import Calls
from cumulet.kernel.clock import Clock
from cumulet.kernel.service import Service, operations_in
from cumulet.kernel.tasks import Tasks
from cumulet.services.lambda_.access.credentials import CredentialCache
from cumulet.services.lambda_.images.images import Images
from cumulet.services.lambda_.images.registry import Registry
from cumulet.services.lambda_.images.store import SCHEMA as IMAGES
from cumulet.services.lambda_.images.store import ImageStore
from cumulet.services.lambda_.limits import Limits as LambdaLimits
from cumulet.services.lambda_.microvms import images, operations, tags, versions
from cumulet.services.lambda_.microvms.builds import Builder
from cumulet.services.lambda_.microvms.front import MicrovmFront
from cumulet.services.lambda_.microvms.limits import Limits
from cumulet.services.lambda_.microvms.model import DELETING, TERMINATED
from cumulet.services.lambda_.microvms.state import Microvms
from cumulet.services.lambda_.microvms.store import SCHEMA, MicrovmStore
from cumulet.services.lambda_.microvms.tokens import Tokens
from cumulet.services.lambda_.reporting.logs import LogWriter
from cumulet.storage.blobs import Blobs
from cumulet.storage.database import Database

__all__ = ["Limits", "Microvms", "build"]

LOST = "The node was stopped: what a MicroVM has in memory does not outlive it."


def build(  # noqa: PLR0913  the composition root passes each part once
    *,
    db: Database,
    images_blobs: Blobs,
    folder: Path,
    machine: str,
    credentials_path: str,
    clock: Clock,
    wall: Callable[[], float],
    calls: Calls,
    tasks: Tasks,
    compute: Compute,
    secret: bytes,
    enforce: bool = False,
    limits: Limits | None = None,
) -> Service:
    """Assemble the service. `db` is Lambda's and `images_blobs` its registry's; `folder` is for the service alone; `machine` is this
    machine's architecture, as the kernel names it; `wall` is real time, in which credentials live.

    Compute's `on_log` must lead to `state.logs.line`; at `credentials_path`, the platform must answer in sandboxes what
    `state.credentials_of` gives.
    """
    unpacked = Images(Registry(ImageStore(db), images_blobs), folder / "images", lambda id: None)
    service = Microvms(
        db=db,
        store=MicrovmStore(db),
        images=unpacked,
        credentials=CredentialCache(calls, clock, enforce),
        logs=LogWriter(calls, clock, tasks, LambdaLimits().log_buffer),
        tokens=Tokens(secret),
        compute=compute,
        calls=calls,
        clock=clock,
        wall=wall,
        tasks=tasks,
        limits=limits or Limits(),
        folder=folder / "layers",
        credentials_path=credentials_path,
        machine="ARM_64" if machine in {"aarch64", "arm64"} else "X86_64",
    )
    service.builder = Builder(service)
    service.front = MicrovmFront(service)
    return Service(
        "lambda-microvms",
        service,
        operations_in(OPERATIONS, images, versions, operations, tags),
        start=lambda: _start(service, folder),
        stop=lambda: _stop(service),
    )


async def _start(service: Microvms, folder: Path) -> None:
    """What ran when the node ended has ended; builds begin anew, deletions go on."""
    await service.db.migrate("lambda_microvms", SCHEMA)
    await service.db.migrate("lambda_images", IMAGES)
    service.logs.start()
    await service.builder.clean(await service.store.programs(), folder / "images")
    for vm in await service.store.living():
        await service.keep(replace(vm, state=TERMINATED, reason=LOST, ended=service.clock.now()))
    for key in await service.store.leaving(DELETING):
        await images.finish_deletion(service, key)
    for key, number in await service.store.unfinished():
        service.builder.begin(key, number)


async def _stop(service: Microvms) -> None:
    """Every MicroVM ends with the node."""
    for life in list(service.lives.values()):
        await life.close(LOST)
    await service.logs.flush()
