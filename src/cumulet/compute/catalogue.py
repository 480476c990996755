"""What runs functions on this machine: found, found again when it changes, installed where that is allowed."""

import time
from pathlib import Path

from cumulet.compute.config import ComputeConfig
from cumulet.compute.model import FunctionSpec, RuntimeUnavailable
from cumulet.compute.runtimes import found, node
from cumulet.compute.runtimes.image import ImageRuntime
from cumulet.compute.runtimes.installer import Installer
from cumulet.compute.runtimes.machine import MachineRuntime
from cumulet.compute.runtimes.runtime import Runtime
from cumulet.compute.runtimes.server import serving

_LOOK_AGAIN = 1.0
"""Seconds between looks at what the machine has, when something that it had not is asked for."""


class Catalogue:
    """The runtimes of a node, by AWS's identifiers."""

    def __init__(self, config: ComputeConfig) -> None:
        self._config = config
        self._found: dict[str, Runtime] | None = None
        self._looked = 0.0
        self._installer = Installer(config.folder, config.search_path, allowed=config.install_runtimes)

    @property
    def _runtimes(self) -> dict[str, Runtime]:
        """By identifier, as they were at the last look; the first is when somebody asks."""
        if self._found is None:
            self.refresh()
        return self._found or {}

    def paths(self) -> dict[str, str]:
        """Runtime identifiers that work here, and the interpreter of each."""
        return {name: runtime.path for name, runtime in self._runtimes.items()}

    def refresh(self) -> None:
        """See what has been installed or removed since."""
        self._found = self._find()

    def find(self, name: str) -> Runtime | None:
        """One that was there at the last look."""
        return self._runtimes.get(name)

    def get(self, name: str) -> Runtime:
        """Raises RuntimeUnavailable when functions of this runtime cannot run here."""
        if name not in self._runtimes and time.monotonic() > self._looked + _LOOK_AGAIN:
            self._looked = time.monotonic()
            self.refresh()
        try:
            return self._runtimes[name]
        except KeyError:
            have = ", ".join(sorted(self._runtimes)) or "none"
            raise RuntimeUnavailable(
                f"This machine has nothing that runs {name} (it has: {have}). {found.advice(name)}."
            ) from None

    def of(self, spec: FunctionSpec) -> Runtime:
        """What runs a function. Raises RuntimeUnavailable."""
        if spec.machine is not None:
            return MachineRuntime(spec.machine)
        if spec.image is not None:
            return ImageRuntime(spec.image)
        runtime = self.get(spec.runtime).for_function(spec.memory_mb, spec.environment)
        return runtime if spec.server is None else serving(runtime, spec.server)

    async def provide(self, runtime: str) -> None:
        """Have a runtime that is missing installed, where that is allowed and possible; `get` tells whether it is there."""

        def has() -> bool:
            if runtime not in self._runtimes:
                self.refresh()
            return runtime in self._runtimes

        if runtime not in self._runtimes:
            await self._installer.provide(runtime, has)
            self.refresh()

    def node_sdk(self) -> Path | None:
        """The folder whose AWS SDK for JavaScript Node.js functions get; None where there is none."""
        return node.sdk_folder(self._config.node_sdk_path or node.sdk_places(self._config.folder))

    def _find(self) -> dict[str, Runtime]:
        config = self._config
        places = found.Places(
            search_path=config.search_path,
            home=config.home,
            folder=config.folder,
            sdk_path=config.sdk_path,
            node_sdk=self.node_sdk(),
            java_home=config.java_home,
        )
        return found.find(places)
