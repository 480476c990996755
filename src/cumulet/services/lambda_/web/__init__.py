"""Web functions: HTTP servers that run as they are behind endpoints.

https://docs.aws.amazon.com/lambda/latest/dg/web-functions.html
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from msgspec.structs import replace

from cumulet.api.lambda_web import OPERATIONS
from cumulet.compute import Compute
from cumulet.kernel.call import Call
from cumulet.kernel.calls import Calls
from cumulet.kernel.clock import Clock
from cumulet.kernel.service import Service, operations_in
from cumulet.kernel.tasks import Tasks
from cumulet.services.lambda_.access.credentials import CredentialCache
from cumulet.services.lambda_.limits import Limits as LambdaLimits
from cumulet.services.lambda_.packages.packages import Packages
from cumulet.services.lambda_.reporting.logs import LogWriter
from cumulet.services.lambda_.web import endpoints, functions, revisions, tags
from cumulet.services.lambda_.web.front import WebFront
from cumulet.services.lambda_.web.limits import Limits
from cumulet.services.lambda_.web.names import resource_key
from cumulet.services.lambda_.web.state import Web
from cumulet.services.lambda_.web.store import SCHEMA, WebStore
from cumulet.storage.blobs import Blobs
from cumulet.storage.database import Database
from cumulet.storage.seal import Seal

__all__ = ["Limits", "Web", "build"]


def build(  # noqa: PLR0913  the composition root passes each part once
    *,
    db: Database,
    blobs: Blobs,
    folder: Path,
    clock: Clock,
    wall: Callable[[], float],
    calls: Calls,
    tasks: Tasks,
    compute: Compute,
    secret: bytes,
    enforce: bool = False,
    limits: Limits | None = None,
) -> Service:
    """Assemble the service. `blobs` and `folder` are for its packages alone; compute's `on_log` must lead to `state.logs.line`.

    `wall` is real time, in which credentials live.
    """
    limits = limits or Limits()
    of_packages = replace(LambdaLimits(), code_size_zipped=limits.code_size, code_size_unzipped=limits.code_size)
    web = Web(
        db=db,
        store=WebStore(db, Seal(secret, "lambda-web")),
        packages=Packages(folder, blobs, tasks, of_packages),
        credentials=CredentialCache(calls, clock, enforce),
        logs=LogWriter(calls, clock, tasks, of_packages.log_buffer),
        compute=compute,
        calls=calls,
        clock=clock,
        wall=wall,
        tasks=tasks,
        limits=limits,
        enforce=enforce,
    )
    web.front = WebFront(web)
    return Service(
        "lambda-web",
        web,
        operations_in(OPERATIONS, endpoints, functions, revisions, tags),
        start=lambda: _start(web),
        stop=web.logs.flush,
        resource_policy=partial(_resource_policy, web),
    )


async def _start(web: Web) -> None:
    """Go on with what a crash interrupted: revisions that are not ready, torn packages."""
    await web.db.migrate("lambda_web", SCHEMA)
    await web.connectors.start()
    await web.packages.start(await web.store.packages())
    web.logs.start()
    for key in await web.store.pending():
        web.settle(key)


async def _resource_policy(web: Web, call: Call, arn: str) -> str | None:
    """A function's, which is that of its endpoints and revisions, too."""
    del call
    key = resource_key(arn)
    function = await web.store.function(key) if key is not None else None
    return None if function is None else function.policy or None
