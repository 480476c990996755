"""Lambda Core: runtimes that customers manage themselves, and network connectors.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-customer-managed.html
"""

from collections.abc import Callable
from pathlib import Path

from cumulet.api.lambda_core import OPERATIONS
from cumulet.kernel.clock import Clock
from cumulet.kernel.service import Service, operations_in
from cumulet.kernel.tasks import Tasks
from cumulet.services.lambda_.custom import aliases, connectors, runtimes, versions
from cumulet.services.lambda_.custom.state import CustomRuntimes
from cumulet.services.lambda_.images.images import Images
from cumulet.services.lambda_.images.registry import Registry
from cumulet.services.lambda_.images.store import ImageStore
from cumulet.storage.blobs import Blobs
from cumulet.storage.database import Database

__all__ = ["CustomRuntimes", "build", "make"]


def make(
    *, db: Database, images: Blobs, folder: Path, clock: Clock, tasks: Tasks, on_removal: Callable[[str], None]
) -> CustomRuntimes:
    """What `build` and Lambda's own share. `db` is Lambda's, `images` its registry's; `folder` is for unpacked images of
    runtimes alone; `on_removal` as of `Images`."""
    unpacked = Images(Registry(ImageStore(db), images), folder, on_removal)
    return CustomRuntimes(db, clock, tasks, unpacked, folder)


def build(custom: CustomRuntimes) -> Service:
    """The service of the operations on them."""
    operations = operations_in(OPERATIONS, aliases, connectors, runtimes, versions)
    return Service("lambda-core", custom, operations, start=custom.start)
