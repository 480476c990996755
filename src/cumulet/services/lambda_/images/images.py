"""Functions made of container images: which image a request means, what is in it, and where it lies unpacked."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import msgspec
from msgspec import Struct

from cumulet.api import lambda_ as api
from cumulet.compute import Image, RuntimeUnavailable, image_unpacker
from cumulet.kernel.call import Call
from cumulet.kernel.ids import token
from cumulet.services.lambda_.errors import invalid
from cumulet.services.lambda_.images.names import Repository, parse
from cumulet.services.lambda_.images.registry import Registry
from cumulet.services.lambda_.images.store import Manifest, StoredBlob
from cumulet.services.lambda_.packages.packages import IMAGE, Package

_MAX_SIZE = 10 << 30
_MAX_CONFIG = 4 << 20
_MAX_SETTINGS = 32_768
"""Bytes of an image's command and variables, which go to its sandbox in one message."""
_KEPT = 1_000
_MACHINES = {"amd64": "x86_64", "arm64": "arm64"}
_MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_LAYERS = (
    "application/vnd.oci.image.layer.v1.tar",
    "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.docker.image.rootfs.diff.tar",
    "application/vnd.docker.image.rootfs.diff.tar.gzip",
)


class Unusable(RuntimeUnavailable):
    """The image cannot be run; the message says why."""


class Settings(Struct, frozen=True, kw_only=True):
    """What an image says of how it is run."""

    entry_point: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    environment: dict[str, str] = {}
    folder: str = "/"


class Images:
    """`root` is for unpacked images alone: `root`/<digest>. They are copies of what the registry has.
    `on_removal` gets the id of an image that is not there any more."""

    def __init__(self, registry: Registry, root: Path, on_removal: Callable[[str], None]) -> None:
        self.registry = registry
        self._root = root
        self._on_removal = on_removal
        self._settings: dict[str, Settings] = {}
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def start(self, packages: Sequence[Package]) -> None:
        """Remove what a crash may have left half done, or of images that no function has."""
        await self.registry.start()
        self._root.mkdir(parents=True, exist_ok=True)
        ids = {package.id for package in packages if package.is_image}
        for path in list(self._root.iterdir()):
            if path.name not in ids:
                await asyncio.to_thread(shutil.rmtree, path, ignore_errors=True)

    async def find(self, call: Call, uri: str, architectures: Sequence[str]) -> Package:
        """The image that a request names, as a package. Raises AWS's errors."""
        package, machine = await self.look_up(call, uri)
        wanted = (architectures or ["x86_64"])[0]
        if wanted != machine:
            raise invalid(f"The image of {uri} is for {machine}, the function for {wanted}.")
        return package

    async def look_up(self, call: Call, uri: str) -> tuple[Package, str]:
        """The image that a request names, as a package, and its architecture. Raises AWS's errors."""
        reference = parse(uri)
        if reference is None or reference.repository.region != call.region:
            raise invalid(f"Source image {uri} is not valid. Provide a valid source image.")
        repository = reference.repository
        if repository.account != call.account:
            raise api.InvalidParameterValueException(
                "Lambda does not have permission to access the ECR image. Check the ECR permissions."
            )
        manifest = await self.registry.find(repository, reference.wanted)
        if manifest is None:
            raise invalid(f"Source image {uri} does not exist. Provide a valid source image.")
        unsupported = invalid(
            f"The image manifest, config or layer media type for the source image {uri} is not supported."
        )
        try:
            document = _document(manifest)
        except Unusable:
            raise unsupported from None
        if manifest.media_type not in _MANIFESTS or any(layer.media_type not in _LAYERS for layer in document.layers):
            raise unsupported
        package = Package(
            id=manifest.digest.removeprefix("sha256:"),
            blob=f"{IMAGE}{'/'.join(repository)}@{manifest.digest}",
            size=0,
        )
        machine = str((await self._config(repository, document)).get("architecture", "amd64"))
        return package, _MACHINES.get(machine, machine)

    async def image(self, package: Package, own: api.ImageConfig | None) -> tuple[Image, dict[str, str]]:
        """How compute runs the image, `own` being the function's ImageConfig; and the image's variables.

        Raises Unusable.
        """
        root = await self.ready(package)
        settings = await self.settings(package)
        own = own or api.ImageConfig()
        argv = [*(own.entry_point or settings.entry_point), *(own.command or settings.command)]
        if not argv:
            raise Unusable("The image has neither ENTRYPOINT nor CMD, and the function's ImageConfig gives none.")
        folder = own.working_directory or settings.folder
        if len(json.dumps([argv, folder, settings.environment])) > _MAX_SETTINGS:
            raise Unusable(f"The image's command and variables are larger than {_MAX_SETTINGS} bytes.")
        return Image(id=package.id, root=root, argv=tuple(argv), folder=folder), settings.environment

    async def ready(self, package: Package) -> Path:
        """Where the image lies unpacked, now if it does not. Raises Unusable."""
        place = self._root / package.id
        if not place.exists():
            async with self._turns.setdefault(package.id, asyncio.Lock()):
                if not place.exists():
                    await self._unpack(package, place)
        return place

    async def remove(self, package: Package) -> None:
        """Forget an unpacked image that no function uses; the registry keeps it."""
        self._settings.pop(package.id, None)
        place, scratch = self._root / package.id, self._root / f"old-{token(8)}"
        if place.exists():
            place.rename(scratch)
        self._on_removal(package.id)
        await asyncio.to_thread(shutil.rmtree, scratch, ignore_errors=True)

    async def _unpack(self, package: Package, place: Path) -> None:
        repository, digest = _origin(package)
        document = _document(await self._manifest(repository, digest))
        scratch = self._root / f"new-{token(8)}"
        (scratch / "root").mkdir(parents=True)
        try:
            layers = []
            for layer in document.layers:
                blob = await self.registry.blob(repository, layer.digest)
                layers.append(str(await self._file(blob, scratch)))
            await _run_unpacker({"layers": layers, "root": str(scratch / "root"), "limit": _MAX_SIZE})
            (scratch / "root").chmod(0o755)
            (scratch / "root").rename(place)
        finally:
            await asyncio.to_thread(shutil.rmtree, scratch, ignore_errors=True)

    async def _file(self, blob: StoredBlob, scratch: Path) -> Path:
        """A local file with a layer."""
        path = self.registry.path(blob)
        if path is not None:
            return path
        copy = scratch / blob.id
        with copy.open("wb") as file:
            async for piece in self.registry.read(blob):
                file.write(piece)
        return copy

    async def _manifest(self, repository: Repository, digest: str) -> Manifest:
        manifest = await self.registry.find(repository, digest)
        if manifest is None:
            raise Unusable(f"{'/'.join(repository)}@{digest} is not in the registry any more.")
        return manifest

    async def settings(self, package: Package) -> Settings:
        """What the image says of how it is run. Raises Unusable."""
        settings = self._settings.get(package.id)
        if settings is None:
            repository, digest = _origin(package)
            document = _document(await self._manifest(repository, digest))
            settings = _settings((await self._config(repository, document)).get("config") or {})
            if len(self._settings) >= _KEPT:
                self._settings.clear()
            self._settings[package.id] = settings
        return settings

    async def _config(self, repository: Repository, document: _Document) -> dict[str, Any]:
        blob = await self.registry.blob(repository, document.config.digest)
        content = b"".join([piece async for piece in self.registry.read(blob, 0, min(blob.size, _MAX_CONFIG))])
        try:
            return msgspec.json.decode(content, type=dict[str, Any])
        except (msgspec.DecodeError, RecursionError):
            raise invalid("The image's configuration is no JSON object.") from None


def _origin(package: Package) -> tuple[Repository, str]:
    place, _, digest = package.blob.removeprefix(IMAGE).partition("@")
    account, region, name = place.split("/", 2)
    return Repository(account, region, name), digest


class _Part(Struct):
    digest: str
    media_type: str = msgspec.field(name="mediaType", default="")


class _Document(Struct):
    """A manifest, as far as it matters here."""

    config: _Part
    layers: list[_Part] = []


def _document(manifest: Manifest) -> _Document:
    """Raises Unusable."""
    try:
        return msgspec.json.decode(manifest.content, type=_Document)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Unusable(f"The image's manifest is not as it should be: {error}") from None


def _settings(config: dict[str, Any]) -> Settings:
    """Of the `config` of an image's configuration, whose names are Docker's."""
    try:
        variables = dict(entry.split("=", 1) for entry in config.get("Env") or () if "=" in entry)
        return msgspec.convert(
            {
                "entry_point": config.get("Entrypoint") or (),
                "command": config.get("Cmd") or (),
                "environment": variables,
                "folder": config.get("WorkingDir") or "/",
            },
            Settings,
        )
    except (msgspec.ValidationError, AttributeError, TypeError) as error:
        raise Unusable(f"The image's configuration is not as it should be: {error}") from None


async def _run_unpacker(order: dict[str, Any]) -> None:
    argv = [sys.executable, "-I", "-S", *image_unpacker(), json.dumps(order)]
    process = await asyncio.create_subprocess_exec(
        *argv, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        said, _ = await process.communicate()
    except BaseException:
        process.kill()
        await process.wait()
        raise
    if said or process.returncode:
        raise Unusable(f"The image cannot be unpacked: {said.decode(errors='replace') or 'the unpacker failed'}")
