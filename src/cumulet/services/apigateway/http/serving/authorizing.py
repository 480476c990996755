"""Who may call a route: JWTs, functions that decide, and signatures."""

from __future__ import annotations

import logging
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from cumulet.kernel.errors import AwsError
from cumulet.kernel.web import Asked
from cumulet.services.apigateway.http.serving.events import authorizer_event
from cumulet.services.apigateway.http.serving.exchange import Exchange, Refused
from cumulet.services.apigateway.http.serving.program import RouteProgram
from cumulet.services.apigateway.plane import authorizers
from cumulet.services.apigateway.plane.authorizers import INVOKE, Answer, AuthorizerFailed, Cache, Unauthorized
from cumulet.services.apigateway.plane.jwt import BadToken, InsufficientScope, IssuerSilent, Verifier
from cumulet.services.apigateway.plane.lambdas import Functions, function_of

log = logging.getLogger(__name__)


class Gatekeeper(Struct, frozen=True):
    """What deciding needs. `cache` holds what functions said."""

    functions: Functions
    cache: Cache
    verifier: Verifier

    async def admit(self, exchange: Exchange, route: RouteProgram) -> None:
        """Let a request in, and note who asks. Raises Refused."""
        kind = route.route.authorization_type
        if kind == "JWT":
            await self._by_token(exchange, route)
        elif kind == "CUSTOM":
            await self._by_function(exchange, route)
        elif kind == "AWS_IAM":
            await self._by_signature(exchange)

    async def _by_token(self, exchange: Exchange, route: RouteProgram) -> None:
        authorizer = route.authorizer
        jwt = authorizer.jwt_configuration if authorizer is not None else None
        if jwt is None or jwt.issuer is None:
            raise Refused(500, "Internal Server Error", "the route's authorizer is gone")
        token = route.sources[0].evaluate(exchange.find) if route.sources else None
        if not token:
            raise Refused(401, "Unauthorized", "no token", "Bearer")
        wanted = route.route.authorization_scopes or []
        try:
            found = await self.verifier.verify(token, jwt.issuer, jwt.audience or [], wanted)
        except InsufficientScope as error:
            challenge = f'Bearer scope="{" ".join(wanted)}" error="insufficient_scope" error_description="{error}"'
            raise Refused(403, "Forbidden", str(error), challenge) from None
        except BadToken as error:
            challenge = f'Bearer scope="{" ".join(wanted)}" error="invalid_token" error_description="{error}"'
            raise Refused(401, "Unauthorized", str(error), challenge.replace("\r", "").replace("\n", "")) from None
        except IssuerSilent as error:
            log.warning("tokens for the API %s cannot be verified: %s", exchange.api_id, error)
            raise Refused(
                401,
                "Unauthorized",
                str(error),
                'Bearer scope="" error="invalid_token" error_description="OIDC discovery endpoint communication error"',
            ) from None
        claims = {name: _claim(value) for name, value in found.claims.items()}
        scopes = [one for one in wanted if one in found.scopes] if wanted else None
        exchange.authorizer = {"claims": claims, "jwt": {"claims": claims, "scopes": scopes}}

    async def _by_function(self, exchange: Exchange, route: RouteProgram) -> None:
        authorizer = route.authorizer
        function = function_of(authorizer.authorizer_uri or "") if authorizer is not None else None
        if authorizer is None or function is None:
            raise Refused(500, "Internal Server Error", "the route's authorizer is gone")
        sources = []
        for source in route.sources:
            value = source.evaluate(exchange.find)
            if not value:
                raise Refused(401, "Unauthorized", f"{source.text} is missing")
            sources.append(value)
        key = (exchange.api_id, exchange.stage, authorizer.authorizer_id, tuple(sources))
        answer = self.cache.get(key) if sources else None
        if answer is None:
            event = authorizer_event(exchange, authorizer.authorizer_payload_format_version or "2.0", sources)
            call = exchange.call(exchange.arn(f"authorizers/{authorizer.authorizer_id}"))
            simple = bool(authorizer.enable_simple_responses)
            try:
                answer = await authorizers.ask(
                    self.functions,
                    call,
                    function.function,
                    event,
                    role=authorizer.authorizer_credentials_arn or "",
                    simple=simple,
                )
            except Unauthorized:
                raise Refused(401, "Unauthorized", "the authorizer said so") from None
            except AuthorizerFailed as error:
                exchange.authorizer = {"error": str(error)}
                raise Refused(500, "Internal Server Error", str(error)) from None
            self.cache.put(key, answer, authorizer.authorizer_result_ttl_in_seconds or 0)
        self._decide(exchange, answer)

    def _decide(self, exchange: Exchange, answer: Answer) -> None:
        ip, agent = exchange.request.peer, exchange.request.headers.get("user-agent", "")
        keys = {"aws:sourceip": (ip,), "aws:useragent": (agent,)}
        decision = authorizers.decide(answer, exchange.invoke_arn, keys.get)
        exchange.authorizer = answer.context | {"principalId": answer.principal, "lambda": answer.context}
        if not decision.allowed:
            raise Refused(403, "Forbidden", "the authorizer does not allow it")

    async def _by_signature(self, exchange: Exchange) -> None:
        visit = exchange.visit
        try:
            credential = await visit.identify()
        except AwsError as error:
            raise Refused(403, "Forbidden", error.message) from None
        principal = credential.principal
        if principal.kind == "anonymous":
            raise Refused(403, "Forbidden", "the request is not signed")
        call = replace(
            exchange.call(""),
            account=principal.account,
            principal=principal,
            access_key=credential.access_key,
        )
        if principal.kind != "root" or principal.account != exchange.account:
            judgement = await visit.judge(call, credential, Asked(action=INVOKE, resource=exchange.invoke_arn))
            if not judgement.allowed:
                raise Refused(403, "Forbidden", f"{principal.arn} may not {INVOKE} {exchange.invoke_arn}")
        exchange.caller, exchange.credential = call, credential
        iam: dict[str, Any] = {
            "accessKey": credential.access_key,
            "accountId": principal.account,
            "callerId": principal.id,
            "cognitoIdentity": None,
            "principalOrgId": None,
            "userArn": principal.arn,
            "userId": principal.id,
        }
        exchange.authorizer = {"iam": iam}


def _claim(value: Any) -> str:
    """Claims are text in events: lists as `[a b]`, as AWS spells them."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return f"[{' '.join(_claim(one) for one in value)}]"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, dict):
        return f"map[{' '.join(f'{name}:{_claim(one)}' for name, one in sorted(value.items()))}]"
    return "" if value is None else str(value)
