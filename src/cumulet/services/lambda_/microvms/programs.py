"""A version's program in an environment: its file system, variables and log."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from cumulet.api import lambda_microvms as api
from cumulet.compute import EnvironmentInfo, FunctionSpec, Machine, OnEnvironment
from cumulet.kernel.call import Principal
from cumulet.services.lambda_.microvms import skeleton
from cumulet.services.lambda_.microvms.model import PEAK, Program, disk_mb, processors
from cumulet.services.lambda_.microvms.state import Microvms
from cumulet.services.lambda_.names import Owner
from cumulet.services.lambda_.packages.packages import Package

_MOST_TMP = 512


def group_of(name: str) -> str:
    """The log group of an image that names none."""
    return f"/aws/lambda-microvms/{name}"


async def layers_of(service: Microvms, program: Program) -> tuple[tuple[Path, ...], Path | None]:
    """The layers of a program's file system, the first on top, and the image below them. Raises images.Unusable."""
    image: Path | None = None
    if program.image:
        image = await service.images.ready(Package(id=program.image, blob=program.image_blob, size=0))
    base = service.folder / f"base-{program.image or 'machine'}"
    if not base.exists():
        async with service.builder.turn(base.name):
            if not base.exists():
                await asyncio.to_thread(skeleton.make, base, image)
    own = (service.folder / program.layer,) if program.layer else ()
    return (*own, base), image


async def spec_of(
    service: Microvms,
    key: str,
    program: Program,
    memory_mb: int,
    environment: Mapping[str, str],
    *,
    steps: tuple[Mapping[str, object], ...] = (),
    code: Path | None = None,
) -> FunctionSpec:
    """What compute boots; `steps` and `code` where an image is made. Raises images.Unusable."""
    layers, image = await layers_of(service, program)
    machine = Machine(
        layers=layers,
        image=image,
        argv=program.argv,
        folder=program.folder,
        disk_mb=disk_mb(memory_mb),
        processors=processors(memory_mb),
        steps=steps,
    )
    return FunctionSpec(
        key=key,
        runtime="microvm",
        handler="",
        code=code or service.folder,
        memory_mb=memory_mb * PEAK,
        tmp_mb=_MOST_TMP,
        environment={"HOME": "/root", "HOSTNAME": "microvm", **program.environment, **environment},
        machine=machine,
    )


def log_to(
    service: Microvms, owner: Owner, group: str, stream: str, logging: api.Logging | None, principal: Principal | None
) -> OnEnvironment | None:
    """What has compute's lines of an environment logged; None where nobody may write them or wants them."""
    if principal is None or (logging is not None and logging.disabled is not None):
        return None
    cloud = logging.cloud_watch if logging is not None else None
    if cloud is not None:
        group, stream = cloud.log_group or group, cloud.log_stream or stream
    writer = principal

    def opened(info: EnvironmentInfo) -> None:
        service.logs.open_named(info.id, owner, group, stream, writer)

    return opened
