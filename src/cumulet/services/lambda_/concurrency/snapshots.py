"""SnapStart: published versions that are initialised before they are invoked.

https://docs.aws.amazon.com/lambda/latest/dg/snapstart.html. What is kept is no image of an environment's memory but an
environment, which waits; after it has been restored the next one is made. See docs/services/lambda.md.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Mapping

import msgspec

from cumulet.compute import ComputeUnavailable, EnvironmentInfo, FunctionSpec, Outcome, RuntimeUnavailable
from cumulet.kernel.errors import AwsError
from cumulet.services.lambda_.concurrency.snap_start import SNAP_START
from cumulet.services.lambda_.model import Version
from cumulet.services.lambda_.names import FunctionKey
from cumulet.services.lambda_.runs import open_environment
from cumulet.services.lambda_.state import Lambda
from cumulet.services.lambda_.targets import Superseded, Target

log = logging.getLogger(__name__)

_MOST_KEPT = 64
_MOST_AHEAD = 8
_DEMAND_WINDOW = 5.0
_EVERY = 60.0
_CODES = {
    "timeout": "FunctionError.InitTimeout",
    "crash": "FunctionError.RuntimeExitError",
    "oom": "FunctionError.InitResourceExhausted",
}


class _Kept:
    """A version whose environments are made ahead. `taken`: when, by the loop's clock, they were lately."""

    __slots__ = ("again", "renew", "spec", "taken", "target", "task")

    def __init__(self, target: Target, spec: FunctionSpec) -> None:
        self.target = target
        self.spec = spec
        self.renew = target.renew
        self.taken: list[float] = []
        self.task: asyncio.Task[None] | None = None
        self.again = False

    def wanted(self, now: float) -> int:
        """Environments that should wait: one, and more while many are taken."""
        self.taken = [moment for moment in self.taken if moment > now - _DEMAND_WINDOW]
        return max(1, min(_MOST_AHEAD, len(self.taken) // 2))


class Snapshots:
    """Sees to it that the versions used last have environments that wait; others have theirs made when they are invoked."""

    def __init__(self, lambda_: Lambda) -> None:
        self._lambda = lambda_
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    async def make(self, key: FunctionKey, version: Version) -> tuple[str, str] | None:
        """Initialise a version that is being published; the reason and its code when it cannot be."""
        lambda_ = self._lambda
        try:
            function = await lambda_.function(key)
            target = Target(key, function, version)
            spec = await lambda_.targets.spec(target, lambda_.clock.now())
            failed = await self._initialise(target, spec)
        except (RuntimeUnavailable, Superseded):
            return None  # there is a reason of its own for that
        except (AwsError, ComputeUnavailable) as error:
            return str(error), "InternalError"
        if failed is not None:
            return _reason(failed), _CODES.get(failed.error or "", "FunctionError")
        self._keep(version.deployment, _Kept(target, spec))
        return None

    def used(self, target: Target, spec: FunctionSpec, *, restored: bool) -> None:
        """The version has been invoked; `restored`: what waited is used up."""
        deployment = target.version.deployment
        kept = self._kept.get(deployment)
        if kept is None or kept.spec.key != spec.key:
            kept = _Kept(target, spec)
        self._keep(deployment, kept)
        if restored:
            kept.taken.append(asyncio.get_running_loop().time())
            self._fill(kept)

    async def watch(self) -> None:
        """For ever: renew what waits before its credentials end, and forget versions that are gone."""
        lambda_ = self._lambda
        while True:
            await lambda_.clock.sleep(_EVERY)
            for deployment, kept in list(self._kept.items()):
                try:
                    await self._look_at(deployment, kept)
                except Exception:
                    log.exception("the snapshot of %s stays as it is for now", kept.target.key.arn)

    async def _look_at(self, deployment: str, kept: _Kept) -> None:
        lambda_, target = self._lambda, kept.target
        now = lambda_.clock.now()
        version = await lambda_.store.version(target.key, target.version.number)
        if version is None or version.deployment != deployment:
            self._kept.pop(deployment, None)
            await lambda_.compute.retire(kept.spec.key)
        elif now >= kept.renew:
            old = kept.spec
            kept.spec = await lambda_.targets.spec(target, now)
            kept.renew = target.renew
            self._fill(kept)
            lambda_.compute.drop_snapshots(old.key)
        else:
            self._fill(kept)

    def _keep(self, deployment: str, kept: _Kept) -> None:
        self._kept[deployment] = kept
        self._kept.move_to_end(deployment)
        while len(self._kept) > _MOST_KEPT:
            _, oldest = self._kept.popitem(last=False)
            self._lambda.compute.drop_snapshots(oldest.spec.key)

    def _fill(self, kept: _Kept) -> None:
        if kept.task is None:
            kept.task = self._lambda.tasks.start("lambda snapshot", self._refill(kept))
        else:
            kept.again = True

    async def _refill(self, kept: _Kept) -> None:
        compute = self._lambda.compute
        loop = asyncio.get_running_loop()
        try:
            kept.again = True
            while kept.again:
                kept.again = False
                while self._is_kept(kept) and compute.snapshots(kept.spec.key) < kept.wanted(loop.time()):
                    failed = await self._initialise(kept.target, kept.spec)
                    if failed is not None:
                        log.warning("%s could not be initialised ahead: %s", kept.target.key.arn, _reason(failed))
                        return
        except (ComputeUnavailable, RuntimeUnavailable) as error:
            log.warning("%s could not be initialised ahead: %s", kept.target.key.arn, error)
        finally:
            kept.task = None

    def _is_kept(self, kept: _Kept) -> bool:
        return self._kept.get(kept.target.version.deployment) is kept

    async def _initialise(self, target: Target, spec: FunctionSpec) -> Outcome | None:
        def opened(info: EnvironmentInfo) -> Mapping[str, str] | None:
            return open_environment(self._lambda, target, info, SNAP_START)[1]

        return await self._lambda.compute.snapshot(spec, opened)


def _reason(failed: Outcome) -> str:
    try:
        document = msgspec.json.decode(failed.payload)
        return f"{document.get('errorType', 'Error')}: {document['errorMessage']}"
    except (msgspec.DecodeError, KeyError, TypeError, AttributeError):
        return "The function could not be initialized."
