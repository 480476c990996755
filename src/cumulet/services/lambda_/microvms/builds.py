"""How versions of images are made: the package is fetched, its Dockerfile done, its program tried."""

import asyncio
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from msgspec.structs import replace

from cumulet.api.s3 import GetObjectOutput, GetObjectRequest
from cumulet.compute import BootedMachine, ComputeUnavailable
from cumulet.kernel.call import Call, Principal
from cumulet.kernel.errors import AwsError
from cumulet.kernel.ids import new_id, token
from cumulet.services.lambda_.images.images import Unusable
from cumulet.services.lambda_.images.names import parse as parse_uri
from cumulet.services.lambda_.limits import Limits as LambdaLimits
from cumulet.services.lambda_.microvms import dockerfile
from cumulet.services.lambda_.microvms.hooks import HookFailed, Hooks
from cumulet.services.lambda_.microvms.model import (
    ACTIVE,
    CREATE_FAILED,
    CREATED,
    CREATING,
    FAILED,
    IN_PROGRESS,
    SUCCESSFUL,
    UPDATE_FAILED,
    UPDATED,
    Build,
    Program,
    Spec,
    Version,
)
from cumulet.services.lambda_.microvms.names import ImageKey
from cumulet.services.lambda_.microvms.programs import group_of, log_to, spec_of
from cumulet.services.lambda_.microvms.state import Microvms
from cumulet.services.lambda_.packages import unzip
from cumulet.services.lambda_.packages.packages import Package

_URI = re.compile(r"s3://([^/]+)/(.+)", re.DOTALL)
_MANAGED = re.compile(r"public\.ecr\.aws/lambda/microvms(?:[:@].*)?")
_S3 = {
    "NoSuchKey": "S3_NO_SUCH_KEY",
    "NoSuchBucket": "S3_NO_SUCH_BUCKET",
    "AccessDenied": "S3_ACCESS_DENIED",
    "InvalidObjectState": "S3_INVALID_OBJECT",
    "PermanentRedirect": "S3_CROSS_REGION_ACCESS_DENIED",
}
_FULL = "No space left on device"
_NO_ROOM = "DISK_STORAGE_FULL: this node's disk is full, but for what is kept free"
_LOOK_FIRST, _LOOK_LATER = 0.02, 0.2


class BuildFailed(Exception):
    """The message begins with AWS's word for what went wrong."""


class Builder:
    """Builds versions in the background, one of an image at a time."""

    def __init__(self, service: Microvms) -> None:
        self._service = service
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._accounts: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    def turn(self, name: str) -> asyncio.Lock:
        """One at a time; a lock lives as long as somebody has it."""
        return self._turns.setdefault(name, asyncio.Lock())

    def room(self) -> int:
        """Bytes that builds may write now."""
        found = os.statvfs(self._service.folder)
        return max(0, found.f_bavail * found.f_frsize - self._service.limits.free_space)

    def begin(self, key: ImageKey, number: str) -> None:
        """Build a version that has been stored."""
        self._service.tasks.start(f"build {key.name} {number}", self._build(key, number))

    async def clean(self, versions: Sequence[Version], images: Path) -> None:
        """Remove what a crash may have left half done, or of versions that are not there any more. `images` holds unpacked ones."""
        programs = [version.program for version in versions if version.program is not None]
        layers, below = {program.layer for program in programs}, {program.image for program in programs}
        for folder, kept in ((self._service.folder, layers), (images, below)):
            folder.mkdir(parents=True, exist_ok=True)
            for path in list(folder.iterdir()):
                if path.name not in kept and path.is_file():
                    path.unlink()
                elif path.name not in kept:
                    await asyncio.to_thread(shutil.rmtree, path, ignore_errors=True)

    async def discard(self, versions: Sequence[Version]) -> None:
        """Remove what is kept of versions that nobody uses."""
        for version in versions:
            if version.program is not None and version.program.layer:
                place = self._service.folder / version.program.layer
                await asyncio.to_thread(shutil.rmtree, place, ignore_errors=True)

    async def _build(self, key: ImageKey, number: str) -> None:
        account = self._accounts.setdefault(key.account, asyncio.Semaphore(self._service.limits.builds))
        async with self.turn(key.arn), account:
            version = await self._service.store.version(key, number)
            if version is None:
                return
            version = replace(
                version, state=IN_PROGRESS, builds=[replace(one, state=IN_PROGRESS) for one in version.builds]
            )
            await self._put(key, version)
            try:
                program, memory, size = await self._make(key, version)
            except BuildFailed as failed:
                await self._settle(key, _with(version, FAILED, str(failed)))
            except Exception:
                await self._settle(key, _with(version, FAILED, "INTERNAL_PLATFORM_ERROR"))
                raise
            else:
                done = [replace(one, memory=memory, code=size) for one in version.builds]
                await self._settle(key, _with(replace(version, builds=done, program=program), SUCCESSFUL, None))

    async def _put(self, key: ImageKey, version: Version) -> None:
        async with self._service.db.transaction() as tx:
            if await self._service.store.version(key, version.number, tx) is not None:
                await self._service.store.put_version(tx, key, version)

    async def _settle(self, key: ImageKey, version: Version) -> None:
        """The version is what it has come to, and so is the image."""
        service, now = self._service, self._service.clock.now()
        good = version.state == SUCCESSFUL
        version = replace(version, updated=now, status=ACTIVE if good else version.status)
        async with service.db.transaction() as tx:
            image = await service.store.image(key, tx)
            there = await service.store.version(key, version.number, tx)
            if image is not None and there is not None:
                await service.store.put_version(tx, key, version)
                first = image.state == CREATING
                state = (CREATED if first else UPDATED) if good else (CREATE_FAILED if first else UPDATE_FAILED)
                settled = replace(image, state=state, updated=now)
                settled = replace(settled, active=version.number) if good else replace(settled, failed=version.number)
                await service.store.put_image(tx, key, settled)
                return
        await self.discard([version])

    async def _make(self, key: ImageKey, version: Version) -> tuple[Program, int, int]:
        """The program, the memory that it took, the bytes of its layer. Raises BuildFailed."""
        service, spec = self._service, version.spec
        try:
            _, principal = await service.credentials.assume(key, spec.build_role)
        except AwsError as error:
            raise BuildFailed(f"BUILD_ROLE_ACCESS_DENIED: {error.message}") from error
        context = service.folder / f"new-{token(8)}"
        package = context.with_name(f"{context.name}.zip")
        try:
            try:
                await self._fetch(key, principal, spec, package)
                await self._unpack(package, context)
            finally:
                await asyncio.to_thread(package.unlink, missing_ok=True)
            try:
                return await _Making(service, key, version, principal, context).run()
            except Unusable as error:
                raise BuildFailed(f"CONTAINER_BUILD_FAILED: {error}") from error
            except ComputeUnavailable as error:
                raise BuildFailed(f"INTERNAL_PLATFORM_ERROR: {error}") from error
        finally:
            await asyncio.to_thread(shutil.rmtree, context, ignore_errors=True)

    async def _fetch(self, key: ImageKey, principal: Principal, spec: Spec, to: Path) -> None:
        """To the disk: a package is too large to be held in memory."""
        found = _URI.fullmatch(spec.artifact.uri or "")
        if found is None:
            raise BuildFailed("S3_NO_SUCH_KEY")
        call = Call(key.account, key.region, principal, new_id(), source_arn=key.arn)
        size, most, room = 0, self._service.limits.artifact_size, self.room()
        try:
            request = GetObjectRequest(bucket=found[1], key=found[2])
            answer: GetObjectOutput = await self._service.calls.run(call, "s3", "GetObject", request)
            with to.open("wb") as file:
                if answer.body is None:
                    return
                async for piece in answer.body:
                    size += len(piece)
                    if size > min(most, room):
                        raise BuildFailed("ARCHIVE_INVALID: the archive is too large" if size > most else _NO_ROOM)
                    await asyncio.to_thread(file.write, piece)
        except AwsError as error:
            raise BuildFailed(_S3.get(error.code, f"S3_ACCESS_DENIED: {error.message}")) from error

    async def _unpack(self, package: Path, context: Path) -> None:
        most, room = self._service.limits.artifact_size, self.room()
        size = min(most, room)
        limits = replace(LambdaLimits(), code_size_zipped=size, code_size_unzipped=size)

        def unpack() -> None:
            with package.open("rb") as file:
                unzip.unpack_file(file, context, limits)

        try:
            await asyncio.to_thread(unpack)
        except AwsError as error:
            raise BuildFailed("ARCHIVE_INVALID" if room > most else _NO_ROOM) from error


def _with(version: Version, state: str, reason: str | None) -> Version:
    builds: list[Build] = [replace(one, state=state, reason=reason) for one in version.builds]
    return replace(version, state=state, reason=reason, builds=builds)


class _Making:
    """One version on its way from its unpacked package to its program."""

    def __init__(self, service: Microvms, key: ImageKey, version: Version, principal: Principal, context: Path) -> None:
        self._service = service
        self._key = key
        self._version = version
        self._context = context
        stream = f"build/{version.number}/{version.builds[0].id}"
        group = group_of(key.name)
        self._logged = log_to(service, key, group, stream, version.spec.logging, principal)

    async def run(self) -> tuple[Program, int, int]:
        """Raises BuildFailed, Unusable, ComputeUnavailable."""
        recipe = await asyncio.to_thread(_read, self._context)
        program = await self._base(recipe)
        own = self._version.spec.environment or {}
        size = 0
        if recipe.steps:
            program, size = await self._do(recipe, program)
        try:
            memory = await self._try(replace(program, environment={**program.environment, **own}))
        except BaseException:
            await self._service.builder.discard([replace(self._version, program=program)])
            raise
        return program, memory, size

    async def _base(self, recipe: dockerfile.Recipe) -> Program:
        """What FROM means, with what the Dockerfile sets."""
        if _MANAGED.fullmatch(recipe.base) or recipe.base == "scratch":
            base = Program(argv=())
            entry, command, folder = recipe.entry or [], recipe.command or [], recipe.folder or "/"
            environment = dict(recipe.environment)
        else:
            package = await self._image(recipe.base)
            settings = await self._service.images.settings(package)
            base = Program(argv=(), image=package.id, image_blob=package.blob)
            entry = list(settings.entry_point) if recipe.entry is None else recipe.entry
            command = recipe.command if recipe.command is not None else ([] if recipe.entry else list(settings.command))
            folder = recipe.folder or settings.folder
            environment = {**settings.environment, **recipe.environment}
        argv = (*entry, *command)
        if not argv:
            raise BuildFailed("CONTAINER_BUILD_FAILED: the Dockerfile has neither ENTRYPOINT nor CMD")
        return replace(base, argv=argv, environment=environment, folder=folder, ports=tuple(recipe.ports))

    async def _image(self, name: str) -> Package:
        """An image of the node's registry: by its whole name, or one that was pushed for this account by the name it has elsewhere."""
        key = self._key
        uri = name
        if parse_uri(name) is None:
            host, slash, rest = name.partition("/")
            path = rest if slash and ("." in host or ":" in host) else name
            uri = f"{key.account}.dkr.ecr.{key.region}.amazonaws.com/{path}"
        call = Call(key.account, key.region, Principal.service("lambda.amazonaws.com", key.account), new_id())
        try:
            package, _ = await self._service.images.look_up(call, uri)
        except AwsError as error:
            where = f"{key.account}.dkr.ecr.{key.region}"
            raise BuildFailed(
                f"CONTAINER_BUILD_FAILED: {name} is not in this node's registry. Push it there ({where}...), or build FROM "
                f"public.ecr.aws/lambda/microvms:al2023-minimal, which is this machine's own system. ({error.message})"
            ) from error
        return package

    async def _do(self, recipe: dockerfile.Recipe, program: Program) -> tuple[Program, int]:
        """The steps, in a sandbox, and what they wrote."""
        service, layer = self._service, f"layer-{new_id()}"
        environment = dict(recipe.environment) if not program.image else program.environment
        bare = replace(program, environment=environment)
        spec = await spec_of(
            service,
            f"build {layer}",
            bare,
            self._version.spec.memory_mb,
            {},
            steps=tuple(recipe.steps),
            code=self._context,
        )
        machine = await service.compute.boot(spec, self._logged)
        place = service.folder / f"new-{layer}"
        try:
            try:
                async with asyncio.timeout(service.limits.build_seconds):
                    how = await asyncio.shield(machine.ended)
            except TimeoutError:
                raise BuildFailed(
                    f"CONTAINER_BUILD_FAILED: the steps took longer than {service.limits.build_seconds:g} seconds"
                ) from None
            machine.drain()
            await self._check(machine, how)
            place.mkdir()
            try:
                size = await machine.capture(place, min(service.limits.image_size, service.builder.room()))
            except ComputeUnavailable as error:
                full = "larger than" in str(error) or _FULL in str(error)
                raise BuildFailed(f"{'DISK_STORAGE_FULL' if full else 'CONTAINER_BUILD_FAILED'}: {error}") from error
        except BaseException:
            await asyncio.to_thread(shutil.rmtree, place, ignore_errors=True)
            raise
        finally:
            machine.end()
        place.rename(service.folder / layer)
        return replace(program, layer=layer), size

    async def _check(self, machine: BootedMachine, how: Mapping[str, Any]) -> None:
        """Raises BuildFailed where the steps did not come to their end."""
        if how.get("status") != 0:
            raise BuildFailed(f"CONTAINER_BUILD_FAILED: {await self._said(machine)}")

    async def _said(self, machine: BootedMachine) -> str:
        lines = machine.last_lines().decode(errors="replace").strip().splitlines()
        errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
        return errors[-1] if errors else await machine.how()

    async def _try(self, program: Program) -> int:
        """Start the program as a MicroVM would; gives the most memory it took."""
        version = self._version
        hooks = Hooks(version.spec.hooks)
        spec = await spec_of(self._service, f"trial {new_id()}", program, version.spec.memory_mb, {})
        machine = await self._service.compute.boot(spec, self._logged)
        try:
            try:
                await up(machine, hooks, program, self._service.limits.start_seconds)
                await hooks.call(machine, "validate")
            except HookFailed as failed:
                raise BuildFailed(f"CONTAINER_BUILD_FAILED: {failed}") from failed
            return machine.peak_memory
        finally:
            machine.end()


async def up(machine: BootedMachine, hooks: Hooks, program: Program, seconds: float) -> None:
    """Wait until a program that was started is ready: until its hook says so or, without one, until it takes connections or the
    seconds are over. Raises HookFailed, also where it has ended."""
    if hooks.enabled("ready"):
        await hooks.call(machine, "ready")
        return
    ports, pause = program.ports or (8080,), _LOOK_FIRST
    deadline = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < deadline and not machine.ended.done():
        if await _listens(machine, ports):
            return
        await asyncio.wait({machine.ended}, timeout=pause)
        pause = min(pause * 2, _LOOK_LATER)
    if machine.ended.done():
        raise HookFailed(f"The application ended: {machine.not_started or await machine.how()}.")


async def _listens(machine: BootedMachine, ports: Sequence[int]) -> bool:
    for port in ports:
        try:
            (await machine.connect(port)).close()
        except OSError:
            continue
        return True
    return False


def _read(context: Path) -> dockerfile.Recipe:
    """Raises BuildFailed."""
    path = context / "Dockerfile"
    if path.is_symlink() or not path.is_file():
        raise BuildFailed("ARCHIVE_DOCKERFILE_NOT_FOUND")
    ignore = context / ".dockerignore"
    try:
        ignored = _text(ignore) if ignore.is_file() and not ignore.is_symlink() else ""
        return dockerfile.parse(_text(path), dockerfile.ignored_paths(ignored))
    except dockerfile.BadDockerfile as error:
        raise BuildFailed(f"CONTAINER_BUILD_FAILED: {error}") from error


def _text(path: Path) -> str:
    """Raises BadDockerfile where there is more than a Dockerfile may have."""
    with path.open("rb") as file:
        data = file.read(dockerfile.MOST_BYTES + 1)
    if len(data) > dockerfile.MOST_BYTES:
        raise dockerfile.BadDockerfile(f"{path.name} is larger than {dockerfile.MOST_BYTES} bytes")
    return data.decode(errors="replace")
