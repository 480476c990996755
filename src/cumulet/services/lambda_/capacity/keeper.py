"""Sees to it that versions which run by a capacity provider have their environments, before anything is invoked.

https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-scaling.html
"""

import asyncio
import logging
from collections.abc import Mapping

from cumulet.compute import ComputeUnavailable, EnvironmentInfo, FunctionSpec, NoRoom, RuntimeUnavailable
from cumulet.kernel.errors import AwsError
from cumulet.services.lambda_.capacity.model import MANAGED
from cumulet.services.lambda_.capacity.scaling import scaling_of
from cumulet.services.lambda_.model import Version
from cumulet.services.lambda_.names import LATEST, FunctionKey
from cumulet.services.lambda_.runs import open_environment
from cumulet.services.lambda_.state import Lambda
from cumulet.services.lambda_.targets import Target

log = logging.getLogger(__name__)

_LOOK_EVERY = 2.0
"""Seconds until an environment that has ended is replaced."""
_AFTER_FAILURE = 15
"""Looks that are left out after one that failed."""
_FAILED = ("The function could not be initialised; see its log.", "FunctionError.RuntimeInitError")


class _Kept:
    """A version, what its environments hold, and when their credentials are to be renewed."""

    def __init__(self, target: Target, least: int) -> None:
        self.target = target
        self.least = least
        self.spec: FunctionSpec | None = None
        self.pause = 0


class Keeper:
    """The environments of all versions that run by a capacity provider."""

    def __init__(self, lambda_: Lambda) -> None:
        self._lambda = lambda_
        self._kept: dict[tuple[FunctionKey, str], _Kept] = {}
        self._watching = False

    async def start(self) -> None:
        """Make again what an earlier run of the node had."""
        for key in await self._lambda.capacity.keys():
            await self._read(key)

    def changed(self, key: FunctionKey) -> None:
        """Something of the function is different now."""
        if any(kept == key for kept, _ in self._kept):
            self._lambda.tasks.start("lambda managed", self._read(key))

    async def make(self, key: FunctionKey, version: Version) -> tuple[str, str] | None:
        """Have a version that is to become Active initialised; the reason and its code where that failed."""
        lambda_ = self._lambda
        function = await lambda_.function(key)
        scaling = await scaling_of(lambda_, key, version.number)
        kept = _Kept(Target(key, function, version), scaling.kept)
        try:
            if not await self._fill(kept):
                return _FAILED
        except (AwsError, RuntimeUnavailable, ComputeUnavailable) as error:
            return str(error), "InternalError"
        self._kept[key, version.number] = kept
        self._watch()
        return None

    async def _read(self, key: FunctionKey) -> None:
        """What is to be kept of a function, as the store has it."""
        lambda_ = self._lambda
        versions = set(await lambda_.capacity.versions(key)) - {LATEST}
        for place in [place for place in self._kept if place[0] == key and place[1] not in versions]:
            self._drop(place)
        for number in versions:
            version = await lambda_.store.version(key, number)
            if version is None or version.configuration.state != "Active":
                if version is None or not version.pending:
                    self._drop((key, number))
                continue
            scaling = await scaling_of(lambda_, key, number)
            before = self._kept.get((key, number))
            kept = _Kept(Target(key, await lambda_.function(key), version), scaling.kept)
            kept.spec = before.spec if before is not None else None
            self._kept[key, number] = kept
            if kept.spec is not None:
                lambda_.compute.keep(kept.spec.key, kept.least)
                lambda_.compute.trim(kept.spec.key, max(kept.least, scaling.most or 1))
        self._watch()

    def _drop(self, place: tuple[FunctionKey, str]) -> None:
        kept = self._kept.pop(place, None)
        if kept is not None and kept.spec is not None:
            self._lambda.compute.keep(kept.spec.key, 0)

    def _watch(self) -> None:
        if self._kept and not self._watching:
            self._watching = True
            self._lambda.tasks.start("lambda managed", self._look())

    async def _look(self) -> None:
        """Replace what has ended, and what has credentials that end."""
        try:
            while self._kept:
                for place, kept in list(self._kept.items()):
                    kept.pause -= kept.pause > 0
                    if not kept.pause and self._kept.get(place) is kept:
                        await self._refill(kept)
                await asyncio.sleep(_LOOK_EVERY)
        finally:
            self._watching = False

    async def _refill(self, kept: _Kept) -> None:
        try:
            if not await self._fill(kept):
                kept.pause = _AFTER_FAILURE
        except (AwsError, RuntimeUnavailable, ComputeUnavailable) as error:
            log.warning("environments of %s could not be made: %s", kept.target.key.arn, error)
            kept.pause = _AFTER_FAILURE

    async def _fill(self, kept: _Kept) -> bool:
        """Make what is missing, one after the other; False when the function cannot be loaded."""
        lambda_, target = self._lambda, kept.target
        spec = await lambda_.targets.spec(target, lambda_.clock.now())
        lambda_.compute.keep(spec.key, kept.least)
        while lambda_.compute.holding(spec.key) < kept.least:

            def opened(info: EnvironmentInfo) -> Mapping[str, str] | None:
                return open_environment(lambda_, target, info, MANAGED)[1]

            try:
                if not await lambda_.compute.initialise(spec, on_environment=opened):
                    return False
            except NoRoom:
                break
        old, kept.spec = kept.spec, spec
        if old is not None and old.key != spec.key:
            lambda_.compute.keep(old.key, 0)
            await lambda_.compute.retire(old.key)
        return True
