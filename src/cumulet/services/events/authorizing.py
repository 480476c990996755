"""Has connections authorized: asks for tokens when one is made or changed, when its token runs out, and when it is refused."""

from __future__ import annotations

import asyncio
import logging

from msgspec.structs import replace

from cumulet.kernel.clock import Clock
from cumulet.kernel.tasks import Tasks
from cumulet.kernel.web import Client
from cumulet.services.events import tokens
from cumulet.services.events.model import AUTHORIZED, AUTHORIZING, DEAUTHORIZED, Connection, Secrets
from cumulet.services.events.store import ConnectionStore, Place

log = logging.getLogger(__name__)
_MARGIN = 60.0
"""Seconds before its end at which a token is replaced."""
_REASON = 512


class Authorizing:
    """`client` calls authorization endpoints; without one, nothing that needs a token is ever authorized."""

    def __init__(self, store: ConnectionStore, client: Client | None, clock: Clock, tasks: Tasks) -> None:
        self._store = store
        self._client = client
        self._clock = clock
        self._tasks = tasks
        self._asking: dict[Place, asyncio.Task[None]] = {}

    async def resume(self) -> None:
        """Go on with what a stop or a crash interrupted."""
        for place in await self._store.authorizing():
            self.begin(place)

    def begin(self, place: Place) -> None:
        """A connection is AUTHORIZING: ask for its token, soon."""
        self._tasks.start(f"connection {place.name}", self._until_done(place))

    async def renewed(self, place: Place, connection: Connection, secrets: Secrets, refused: int) -> None:
        """Have a token that is no good replaced, once for all who ask; done when this returns, whatever came of it."""
        old = secrets.expires and secrets.expires - _MARGIN <= self._clock.now()
        if old or connection.serial == refused:
            await self._once(place)

    async def _until_done(self, place: Place) -> None:
        while (found := await self._store.find(place)) is not None and found[0].state == AUTHORIZING:
            await self._once(place)

    async def _once(self, place: Place) -> None:
        asking = self._asking.get(place)
        if asking is None:
            asking = self._asking[place] = self._tasks.start(f"token of {place.name}", self._ask(place))
            asking.add_done_callback(lambda _: self._asking.pop(place, None))
        await asyncio.shield(asking)

    async def _ask(self, place: Place) -> None:
        found = await self._store.find(place)
        if found is None:
            return
        connection, secrets = found
        token: tokens.Token | None = None
        reason = "There is no way out of this node."
        if self._client is not None and secrets is not None:
            try:
                token = await tokens.ask(self._client, secrets)
            except tokens.Refused as error:
                reason = str(error)
        if token is None:
            log.warning("connection %s is not authorized: %s", place.name, reason)
        now = self._clock.now()
        serial = connection.serial

        def change(connection: Connection, secrets: Secrets | None) -> tuple[Connection, Secrets | None] | None:
            if connection.serial != serial or secrets is None:
                return None  # it was changed meanwhile, and is asked for again
            told = replace(connection, serial=serial + 1)
            if token is None:
                told.state, told.reason = DEAUTHORIZED, reason[:_REASON]
                return told, replace(secrets, token="", expires=0.0)
            told.state, told.reason, told.authorized = AUTHORIZED, None, now
            expires = now + token.seconds if token.seconds else 0.0
            return told, replace(secrets, token=token.text, expires=expires)

        await self._store.edit(place, change)
