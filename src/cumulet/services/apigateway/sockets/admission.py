"""Who may connect to a WebSocket API: signatures, functions that decide, API keys."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from cumulet.kernel.errors import AwsError
from cumulet.kernel.web import Asked, Visit
from cumulet.services.apigateway.http.expressions import Find
from cumulet.services.apigateway.plane import authorizers
from cumulet.services.apigateway.plane.authorizers import INVOKE, AuthorizerFailed, Unauthorized
from cumulet.services.apigateway.plane.execution_log import tell_authorizer, tell_decided
from cumulet.services.apigateway.plane.lambdas import Functions, function_of
from cumulet.services.apigateway.rest.keys.gate import Gate, KeyRefused
from cumulet.services.apigateway.sockets.events import Moment, context
from cumulet.services.apigateway.sockets.exchange import source
from cumulet.services.apigateway.sockets.hub import Connection
from cumulet.services.apigateway.sockets.integrating import call_of
from cumulet.services.apigateway.sockets.log import tell_invocation, tell_key, tell_key_fits, without_secrets
from cumulet.services.apigateway.sockets.program import SocketProgram, SocketRoute

FindGate = Callable[[], Awaitable[Gate]]
"""Gives the gate of API keys, which the service of REST APIs has."""


class Denied(Exception):
    """The client is not let in, with this HTTP status and message."""

    def __init__(self, status: int, message: str, why: str = "") -> None:
        super().__init__(why or message)
        self.status = status
        self.message = message


class Admission(Struct, frozen=True):
    """What deciding needs."""

    functions: Functions
    gate: FindGate

    async def admit(
        self,
        visit: Visit,
        program: SocketProgram,
        route: SocketRoute,
        moment: Moment,
        handshake: Mapping[str, Any],
        find: Find,
    ) -> None:
        """Let a client connect, and note on its connection who it is. Raises Denied."""
        kind = route.route.authorization_type
        if kind == "AWS_IAM":
            await self._by_signature(visit, moment)
        elif kind == "CUSTOM":
            await self._by_function(program, route, moment, handshake, find)
        connection = moment.connection
        if program.key_source.startswith("$context.authorizer"):
            connection.api_key = str((connection.authorizer or {}).pop("usageIdentifierKey", "") or "")
        else:
            connection.api_key = find(("request", "header", "x-api-key")) or ""
        if route.route.api_key_required or moment.log is not None:
            await self.check_key(moment, route)

    async def check_key(self, moment: Moment, route: SocketRoute) -> None:
        """Whether the connection's API key opens the route, where that asks for one. Raises Denied."""
        log, required = moment.log, bool(route.route.api_key_required)
        if log is not None:
            tell_key(log, moment)
        if required:
            await self._admit_key(moment.connection, route)
        if log is not None:
            tell_key_fits(log, moment, required=required)

    async def _admit_key(self, connection: Connection, route: SocketRoute) -> None:
        """Counted as one request of the key."""
        gate, key = await self.gate(), connection.api_key
        place = connection.account, connection.region, connection.api_id, connection.stage
        try:
            await gate.admit(*place, key, route.key)
        except KeyRefused as refused:
            raise Denied(refused.status, refused.message, str(refused)) from None

    async def _by_signature(self, visit: Visit, moment: Moment) -> None:
        connection = moment.connection
        try:
            credential = await visit.identify()
        except AwsError as error:
            raise Denied(403, "Forbidden", error.message) from None
        principal = credential.principal
        if principal.kind == "anonymous":
            raise Denied(403, "Missing Authentication Token")
        call = replace(call_of(moment, ""), principal=principal, access_key=credential.access_key)
        if principal.kind != "root" or principal.account != connection.account:
            resource = f"{connection.arn}/{moment.key}"
            judgement = await visit.judge(call, credential, Asked(action=INVOKE, resource=resource))
            if not judgement.allowed:
                raise Denied(403, "Forbidden", f"{principal.arn} may not {INVOKE} {resource}")
        connection.identity = {
            "accessKey": credential.access_key,
            "accountId": principal.account,
            "caller": principal.id,
            "user": principal.id,
            "userArn": principal.arn,
        }

    async def _by_function(
        self,
        program: SocketProgram,
        route: SocketRoute,
        moment: Moment,
        handshake: Mapping[str, Any],
        find: Find,
    ) -> None:
        authorizer, connection = route.authorizer, moment.connection
        function = function_of(authorizer.authorizer_uri or "") if authorizer is not None else None
        if authorizer is None or function is None:
            raise Denied(500, "Internal server error", "the route's authorizer is gone")
        identity = []
        for text in authorizer.identity_source or []:
            if (value := source(text, find)) is None:
                raise Denied(401, "Unauthorized", f"{text} is missing")
            identity.append(value)
        arn = f"{connection.arn}/{moment.key}"
        event = {"type": "REQUEST", "methodArn": arn} | dict(handshake)
        event["stageVariables"] = program.variables
        event["requestContext"] = context(moment)
        call = call_of(moment, f"{connection.arn.rpartition('/')[0]}/authorizers/{authorizer.authorizer_id}")
        role, log = authorizer.authorizer_credentials_arn or "", moment.log
        if log is not None:
            tell_authorizer(log, authorizer.authorizer_id or "", identity)
            tell_invocation(log, moment, function.function, msgspec.json.encode(without_secrets(log, event)))
        try:
            answer = await authorizers.ask(self.functions, call, function.function, event, role=role)
        except Unauthorized:
            raise Denied(401, "Unauthorized") from None
        except AuthorizerFailed as error:
            raise Denied(500, "Internal server error", str(error)) from None
        if log is not None:
            tell_decided(log, answer.body, answer.principal)
        keys = {"aws:sourceip": (connection.source_ip,), "aws:useragent": (connection.user_agent,)}
        decision = authorizers.decide(answer, arn, keys.get)
        connection.authorizer = answer.context | {"principalId": answer.principal}
        if answer.usage_key:
            connection.authorizer["usageIdentifierKey"] = answer.usage_key
        if not decision.allowed:
            raise Denied(403, "Forbidden", "the authorizer does not allow it")
