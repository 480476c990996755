"""Functions as APIs call them: with the API's ARN as the source, or as a role."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from functools import lru_cache
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from cumulet.api import lambda_
from cumulet.delivery.roles import Roles
from cumulet.kernel.call import Call, Principal
from cumulet.kernel.calls import Calls
from cumulet.kernel.errors import AwsError

SERVICE = "apigateway.amazonaws.com"
CALLER = "arn:aws:iam::*:user/*"
"""Credentials of an integration that stand for the client's own."""
_URI = re.compile(
    r"arn:aws[a-z-]*:apigateway:[a-z0-9-]+:lambda:path/(?:/)?"
    r"(?P<version>\d{4}-\d\d-\d\d)/functions/(?P<function>[^/]+)/(?P<kind>invocations|response-streaming-invocations)"
)


class FunctionUri(Struct, frozen=True):
    """The function of an integration's or authorizer's URI. `streams`: its response is to be read while it is written."""

    function: str
    streams: bool = False


class Invoked(Struct):
    """What a function returned. `error` is X-Amz-Function-Error, with the error's document as payload."""

    payload: bytes
    error: str | None = None


class CannotInvoke(Exception):
    """The function was not run: `refused` when it is not allowed, `throttled` when there is no room for it."""

    def __init__(self, error: AwsError) -> None:
        super().__init__(error.message)
        self.error = error
        self.refused = error.code in {"AccessDeniedException", "AccessDenied", "MissingAuthenticationToken"}
        self.throttled = error.code == "TooManyRequestsException"
        self.missing = error.code == "ResourceNotFoundException"


@lru_cache(4096)
def function_of(uri: str) -> FunctionUri | None:
    """The function in `arn:aws:apigateway:region:lambda:path/2015-03-31/functions/ARN/invocations`, or an ARN alone."""
    if (found := _URI.fullmatch(uri)) is not None:
        return FunctionUri(found["function"], found["kind"] != "invocations")
    return FunctionUri(uri) if uri.startswith("arn:") and ":lambda:" in uri and ":function:" in uri else None


class Functions:
    """Invokes functions for APIs."""

    def __init__(self, calls: Calls, roles: Roles) -> None:
        self._calls = calls
        self._roles = roles

    async def invoke(
        self,
        call: Call,
        function: str,
        payload: bytes,
        *,
        role: str = "",
        client: Call | None = None,
        event: bool = False,
    ) -> Invoked:
        """Run a function (ARN or name) and wait for what it returns; with `event` it is queued and the payload empty.

        `call` tells account, region, request id and trace, and in `source_arn` the execute-api ARN that the function's policy is
        asked about; with `role` (credentials of the integration) that role invokes it, or with `CALLER` the client that signed the
        request, as `client` has it. Raises CannotInvoke.
        """
        request = lambda_.InvocationRequest(
            function_name=function, payload=payload, invocation_type="Event" if event else "RequestResponse"
        )
        try:
            caller = await self._caller(call, role, client)
            answer = await self._calls.run(caller, "lambda", "Invoke", request)
        except AwsError as error:
            raise CannotInvoke(error) from error
        return Invoked(answer.payload or b"", answer.function_error)

    async def stream(
        self, call: Call, function: str, payload: bytes, *, role: str = "", client: Call | None = None
    ) -> AsyncIterator[bytes]:
        """The same, giving the response in pieces as they come. Raises CannotInvoke, and FunctionFailed while it is read."""
        request = lambda_.InvokeWithResponseStreamRequest(function_name=function, payload=payload)
        try:
            caller = await self._caller(call, role, client)
            answer = await self._calls.run(caller, "lambda", "InvokeWithResponseStream", request)
        except AwsError as error:
            raise CannotInvoke(error) from error
        return _pieces(answer.event_stream)

    async def _caller(self, call: Call, role: str, client: Call | None) -> Call:
        if role == CALLER:
            if client is None:
                raise AwsError("The client did not sign its request.", code="AccessDeniedException", status=403)
            return client
        if role:
            acting, _ = await self._roles.assume(call, role, "BackplaneAssumeRoleSession", SERVICE)
            return acting
        if call.principal.arn == SERVICE and not call.access_key:
            return call
        return replace(call, principal=Principal.service(SERVICE, call.account), access_key="")


class FunctionFailed(Exception):
    """A function whose response was being read ended with an error; its text is the error's document."""


async def _pieces(events: Any) -> AsyncIterator[bytes]:
    async for event in events:
        if event.payload_chunk is not None and event.payload_chunk.payload:
            yield event.payload_chunk.payload
        elif event.invoke_complete is not None and event.invoke_complete.error_code:
            raise FunctionFailed(event.invoke_complete.error_details or event.invoke_complete.error_code)
