"""Environments kept initialised for versions with provisioned concurrency.

https://docs.aws.amazon.com/lambda/latest/dg/provisioned-concurrency.html
"""

import asyncio
import logging
from typing import Literal

from msgspec import json
from msgspec.structs import replace

from cumulet.compute import ComputeUnavailable, FunctionSpec, RuntimeUnavailable
from cumulet.kernel.errors import AwsError
from cumulet.services.lambda_.model import PROVISIONED, Provision
from cumulet.services.lambda_.names import FunctionKey, Reference
from cumulet.services.lambda_.runs import initialise, ready_target
from cumulet.services.lambda_.state import Lambda
from cumulet.services.lambda_.targets import Target

log = logging.getLogger(__name__)

_DELAY = 0.2
"""Seconds before the work on a change begins, so that changes which come together are one."""
_AT_ONCE = 4
_FAILED_INIT = "FUNCTION_ERROR_INIT_FAILURE"


class Pool:
    """The environments of one version or alias. `spec` is what they hold, once there are any, of `version`."""

    def __init__(self, reference: Reference) -> None:
        self.reference = reference
        self.requested = 0
        self.version = ""
        self.status: Literal["IN_PROGRESS", "READY", "FAILED"] = "IN_PROGRESS"
        self.reason: str | None = None
        self.allocated = 0
        self.busy = 0
        self.renew = 0.0
        self.spec: FunctionSpec | None = None
        self.target: Target | None = None
        self.task: asyncio.Task[None] | None = None
        self.again = False
        self.gone = False


class Provisioner:
    """Sees to it that there are as many environments as were asked for, whatever happens to them."""

    def __init__(self, lambda_: Lambda) -> None:
        self._lambda = lambda_
        self._pools: dict[FunctionKey, dict[str, Pool]] = {}

    async def start(self) -> None:
        """Make again what an earlier run of the node had."""
        for key in await self._lambda.store.keys_with_setting(PROVISIONED):
            await self.sync(key)

    def changed(self, key: FunctionKey) -> None:
        """Something of the function is different now: an alias may lead elsewhere, a version be gone."""
        if key in self._pools:
            self._lambda.tasks.start("lambda provisioned", self.sync(key))

    def find(self, key: FunctionKey, version: str) -> Pool | None:
        """The pool that has environments of this version."""
        pools = self._pools.get(key)
        if pools is not None:
            for pool in pools.values():
                if pool.version == version and pool.spec is not None:
                    return pool
        return None

    def pool(self, reference: Reference) -> Pool | None:
        return self._pools.get(reference.key, {}).get(reference.qualifier or "")

    def requested(self, key: FunctionKey) -> int:
        """Environments asked for, for all versions of the function."""
        pools = self._pools.get(key)
        return sum(pool.requested for pool in pools.values()) if pools else 0

    async def sync(self, key: FunctionKey) -> None:
        """Begin what the settings ask for and is not so; returns before it is done."""
        lambda_ = self._lambda
        settings = dict(await lambda_.store.settings(PROVISIONED, key, "", 10_000))
        pools = self._pools.setdefault(key, {})
        for qualifier in [qualifier for qualifier in pools if qualifier not in settings]:
            self._drop(pools.pop(qualifier))
        for qualifier, document in settings.items():
            wanted = json.decode(document, type=Provision)
            version = qualifier
            if not qualifier.isdecimal():
                alias = await lambda_.store.alias(key, qualifier)
                version = alias.version if alias is not None else ""
            pool = pools.get(qualifier)
            if pool is None:
                pool = pools[qualifier] = Pool(Reference(key, qualifier))
            if (pool.version, pool.requested) != (version, wanted.requested):
                pool.version, pool.requested = version, wanted.requested
                self.fill(pool)
        if not pools:
            self._pools.pop(key, None)

    def fill(self, pool: Pool) -> None:
        """Bring a pool to its number, in the background."""
        pool.status, pool.reason = "IN_PROGRESS", None
        if pool.task is not None:
            pool.again = True
        else:
            pool.task = self._lambda.tasks.start("lambda provision", self._work(pool))

    def lost(self, pool: Pool) -> None:
        """An environment may have ended: it is replaced."""
        if pool.spec is None or pool.gone or pool.task is not None:
            return
        if self._lambda.compute.holding(pool.spec.key) < pool.requested:
            self.fill(pool)

    def measure(self, seconds: float) -> None:
        """Count what pools had for the last `seconds`, and replace environments whose credentials end."""
        now = self._lambda.clock.now()
        for pools in self._pools.values():
            for pool in pools.values():
                if pool.target is not None and pool.allocated:
                    gigabytes = pool.target.memory / 1024
                    series = self._lambda.metrics.of(pool.target, pool.reference.qualifier)
                    series.use("provisioned", pool.allocated * gigabytes * seconds)
                if pool.spec is not None and now >= pool.renew and pool.task is None:
                    self.fill(pool)
                else:
                    self.lost(pool)  # one may have died while nothing was asked of it

    async def _work(self, pool: Pool) -> None:
        try:
            await asyncio.sleep(_DELAY)
            pool.again = True
            while pool.again and not pool.gone:
                pool.again = False
                await self._fill(pool)
            if pool.status == "IN_PROGRESS":
                pool.status = "READY"
        except (AwsError, RuntimeUnavailable, ComputeUnavailable) as error:
            log.warning("provisioned concurrency of %s failed: %s", pool.reference.arn, error)
            await self._fail(pool, str(error))
        finally:
            pool.task = None
            if pool.gone:
                self._drop(pool)

    async def _fill(self, pool: Pool) -> None:
        lambda_ = self._lambda
        target = await ready_target(lambda_, Reference(pool.reference.key, pool.version))
        shared = await lambda_.targets.spec(target, lambda_.clock.now())
        spec = replace(shared, key=f"{shared.key}.provisioned", kept=True)
        old = pool.spec
        fresh = old is None or old.key != spec.key
        missing = pool.requested - lambda_.compute.holding(spec.key)
        if missing < 0:
            lambda_.compute.trim(spec.key, pool.requested)
        while missing > 0 and not pool.again and not pool.gone:
            made = await asyncio.gather(
                *(initialise(lambda_, target, spec) for _ in range(min(missing, _AT_ONCE))), return_exceptions=True
            )
            for outcome in made:
                if isinstance(outcome, BaseException):
                    raise outcome
            if not all(made):
                await self._fail(pool, _FAILED_INIT)
                await lambda_.compute.retire(spec.key)
                return
            missing = pool.requested - lambda_.compute.holding(spec.key)
            if not fresh or old is None:
                pool.allocated = lambda_.compute.holding(spec.key)
        pool.target, pool.spec, pool.renew = target, spec, target.renew
        pool.status, pool.reason = "IN_PROGRESS", None
        pool.allocated = lambda_.compute.holding(spec.key)
        if fresh and old is not None:
            await lambda_.compute.retire(old.key)

    async def _fail(self, pool: Pool, reason: str) -> None:
        pool.status, pool.reason, pool.allocated = "FAILED", reason, 0
        spec, pool.spec = pool.spec, None
        if spec is not None:
            await self._lambda.compute.retire(spec.key)

    def _drop(self, pool: Pool) -> None:
        pool.gone = True
        spec, pool.spec = pool.spec, None
        if spec is not None:
            self._lambda.tasks.start("lambda provisioned", self._lambda.compute.retire(spec.key))
