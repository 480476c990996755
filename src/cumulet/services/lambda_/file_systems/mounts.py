"""What a function's file systems are by now: asked of EFS, as the function's role, when its environments are to be made."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cumulet.api import efs
from cumulet.api import lambda_ as api
from cumulet.compute import SharedFolder
from cumulet.kernel.call import Call, Principal
from cumulet.kernel.calls import Calls
from cumulet.kernel.errors import AwsError
from cumulet.kernel.file_systems import FileSystemMount
from cumulet.kernel.ids import new_id
from cumulet.services.lambda_.errors import invalid
from cumulet.services.lambda_.names import FunctionKey

if TYPE_CHECKING:
    from cumulet.services.lambda_.state import Lambda

_UNREACHABLE = frozenset({"MountTargetNotFound"})


class Mounts:
    """`on_mount` is told of each that functions may write to: its ARN's file system, account and region."""

    def __init__(self, calls: Calls, on_mount: Callable[[str, Call], None]) -> None:
        self._calls = calls
        self._on_mount = on_mount

    async def of(
        self, key: FunctionKey, configs: Sequence[api.FileSystemConfig], principal: Principal
    ) -> tuple[SharedFolder, ...]:
        """Raises EFSMountFailureException and EFSMountConnectivityException."""
        return tuple([await self._one(key, config, principal) for config in configs])

    async def _one(self, key: FunctionKey, config: api.FileSystemConfig, principal: Principal) -> SharedFolder:
        call = _call(config.arn, principal, key.arn)
        try:
            request = await self._asked(config.arn)
            found: FileSystemMount = await self._calls.run(call, "efs", "ClientMount", request)
        except AwsError as error:
            if error.code in _UNREACHABLE:
                raise api.EFSMountConnectivityException(
                    f"The function couldn't connect to the Amazon EFS file system with access point {config.arn}. "
                    "Check your network configuration and try again."
                ) from error
            raise _not_mounted(config.arn, error.message) from error
        read_only = found.full or not await self._may_write(call, request)
        if not read_only:
            self._on_mount(found.file_system, call)
        return SharedFolder(
            file_system=found.file_system,
            target=config.local_mount_path,
            folder=Path(found.folder),
            path=found.path,
            uid=found.uid,
            gid=found.gid,
            read_only=read_only,
        )

    async def _asked(self, arn: str) -> efs.DescribeAccessPointsRequest:
        """With the file system that the access point is of, which permissions are for."""
        by_id = efs.DescribeAccessPointsRequest(access_point_id=arn)
        answer = await self._calls.run(_as_owner(arn), "efs", "DescribeAccessPoints", by_id)
        file_system = answer.access_points[0].file_system_id
        return efs.DescribeAccessPointsRequest(access_point_id=arn, file_system_id=file_system)

    async def _may_write(self, call: Call, request: efs.DescribeAccessPointsRequest) -> bool:
        try:
            await self._calls.run(call, "efs", "ClientWrite", request)
        except AwsError as error:
            if "AccessDenied" in error.code:
                return False
            raise
        return True


async def check_usable(lambda_: Lambda, configs: Sequence[api.FileSystemConfig] | None) -> None:
    """That access points are there, with a way to them. Raises InvalidParameterValueException."""
    for config in configs or ():
        call = _as_owner(config.arn)
        request = efs.DescribeMountTargetsRequest(access_point_id=config.arn)
        try:
            answer = await lambda_.calls.run(call, "efs", "DescribeMountTargets", request)
        except AwsError as error:
            raise invalid(f"EFS access point {config.arn} cannot be used: {error.message}") from error
        if not answer.mount_targets:
            raise invalid(
                f"EFS file system of access point {config.arn} does not have mount targets created in all availability zones "
                "the function will execute in. Please create EFS mount targets for each availability zone your function has "
                "a subnet in."
            )
        if all(one.life_cycle_state != "available" for one in answer.mount_targets):
            raise invalid(
                f"EFS file system of access point {config.arn} has mount targets created in all availability zones the function "
                "will execute in, but not all are in the available life cycle state yet. Please wait for them to become "
                "available and try the request again."
            )


def digest(mounts: Sequence[SharedFolder]) -> str:
    """Names what is mounted and how, as a part of what environments are used again for; their file systems by their ids."""
    ids = "-".join(one.file_system for one in mounts)
    return f"{ids}-{hashlib.sha256(repr(mounts).encode()).hexdigest()[:16]}"


def not_mounted(configs: Sequence[api.FileSystemConfig] | None, why: str) -> AwsError:
    """What an invocation answers whose environment could not have its file systems."""
    return _not_mounted(configs[0].arn if configs else "", why)


def _not_mounted(arn: str, why: str) -> AwsError:
    return api.EFSMountFailureException(
        f"The function couldn't mount the Amazon EFS file system with access point {arn}: {why}"
    )


def _call(arn: str, principal: Principal, source: str = "") -> Call:
    region, account = arn.split(":")[3:5]
    return Call(account, region, principal, new_id(), source_arn=source)


def _as_owner(arn: str) -> Call:
    """To look at what permissions are about: the owner of the access point may."""
    return _call(arn, Principal.root(arn.split(":")[4]))
