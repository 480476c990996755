"""Who may call a method: compiled from its authorization type and authorizer, and asked for each request.

https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-control-access-to-api.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from cumulet.expressions.regexes import Expression, InvalidExpression, TooComplex, expression
from cumulet.kernel.call import ANONYMOUS
from cumulet.kernel.credentials import Credential
from cumulet.kernel.errors import AwsError
from cumulet.kernel.web import Asked, Judgement
from cumulet.services.apigateway.plane import authorizers
from cumulet.services.apigateway.plane.authorizers import INVOKE, Answer
from cumulet.services.apigateway.plane.context import as_text, look_up
from cumulet.services.apigateway.plane.execution_log import function_url, tell_authorizer, tell_decided
from cumulet.services.apigateway.plane.lambdas import function_of
from cumulet.services.apigateway.rest.definition import Definition
from cumulet.services.apigateway.rest.pipeline import events, tokens, variables
from cumulet.services.apigateway.rest.pipeline.exchange import Exchange, Refused
from cumulet.services.apigateway.rest.pipeline.log import tell_request
from cumulet.services.apigateway.rest.pipeline.mapping import fill

if TYPE_CHECKING:
    from cumulet.api import apigateway as api

_ANYBODY = Credential("", None, ANONYMOUS)
_TTL = 300
_NOT_AUTHORIZED = "User is not authorized to access this resource"
_SHOWN = 4
"""Digits of an account that a refusal tells."""


class Authorization(Struct, frozen=True, kw_only=True):
    """How callers of a method are checked. `kind` is NONE, AWS_IAM, CUSTOM or TOKEN (user pools and JWT)."""

    kind: str
    id: str = ""
    arn: str = ""
    token: bool = False
    sources: tuple[tuple[str, str], ...] = ()
    validation: Expression | None = None
    uri: str = ""
    role: str = ""
    ttl: float = 0.0
    tokens: tokens.Rules | None = None


def compile_authorization(definition: Definition, method: api.Method, arn: str) -> Authorization:
    """Of a method; one whose authorizer is gone lets nobody in."""
    kind = method.authorization_type or "NONE"
    if kind in {"NONE", "AWS_IAM"}:
        return Authorization(kind=kind)
    authorizer = definition.authorizers.get(method.authorizer_id or "")
    if authorizer is None:
        return Authorization(kind="BROKEN")
    return of_authorizer(authorizer, arn, method.authorization_scopes or [])


def of_authorizer(authorizer: api.Authorizer, arn: str, scopes: list[str]) -> Authorization:
    """What an authorizer asks for."""
    ttl = authorizer.authorizer_result_ttl_in_seconds
    source = authorizer.identity_source or ""
    sources = tuple(_source(part.strip()) for part in source.split(",") if part.strip())
    if authorizer.type in {"COGNITO_USER_POOLS", "JWT"}:
        return Authorization(
            kind="TOKEN",
            id=authorizer.id or "",
            sources=sources or (("header", "authorization"),),
            validation=_expression(authorizer.identity_validation_expression),
            tokens=tokens.rules(authorizer, scopes),
        )
    return Authorization(
        kind="CUSTOM",
        id=authorizer.id or "",
        arn=f"{arn}/authorizers/{authorizer.id}",
        token=authorizer.type != "REQUEST",
        sources=sources or ((("header", "authorization"),) if authorizer.type != "REQUEST" else ()),
        validation=_expression(authorizer.identity_validation_expression),
        uri=authorizer.authorizer_uri or "",
        role=authorizer.authorizer_credentials or "",
        ttl=float(_TTL if ttl is None else ttl),
    )


def _source(text: str) -> tuple[str, str]:
    text = text.removeprefix("$").replace("method.request.", "", 1).replace("request.", "", 1)
    place, _, name = text.partition(".")
    return place, name.lower() if place == "header" else name


def _expression(text: str | None) -> Expression | None:
    if not text:
        return None
    try:
        return expression(text)
    except InvalidExpression:
        return None


async def check(ex: Exchange) -> None:
    """Raises Refused unless the caller may call the method."""
    authorization = ex.method.authorization
    if authorization.kind == "AWS_IAM":
        await _check_iam(ex)
        return
    if ex.program.policy is not None:
        await _check_policy(ex, open_=authorization.kind == "NONE")
    if authorization.kind == "CUSTOM":
        await _check_custom(ex, authorization)
    elif authorization.kind == "TOKEN":
        assert authorization.tokens is not None
        await tokens.check(ex, authorization.tokens, identity(ex, authorization)[0])
    elif authorization.kind != "NONE":
        raise Refused(
            "AUTHORIZER_CONFIGURATION_ERROR",
            None,
            reason="Execution failed due to configuration error: the method's authorizer is gone",
        )


async def _check_policy(ex: Exchange, *, open_: bool) -> None:
    """The API's policy where nobody's own policies count."""
    judgement = await _judge(ex, identity=False)
    if judgement.explicit or (open_ and not judgement.allowed):
        raise _denied(ex, judgement)
    ex.policy_allows = judgement.allowed


async def _judge(ex: Exchange, *, identity: bool) -> Judgement:
    judgement = Judgement(allowed=False)
    endpoint = ex.visit.vpc_endpoint
    keys: dict[str, tuple[str, ...]] = {"aws:sourcevpce": (endpoint,)} if endpoint else {}
    for place, arn in enumerate(ex.resource_arns):
        asked = Asked(action=INVOKE, resource=arn, policy=ex.program.policy, identity=identity, keys=keys)
        found = await ex.visit.judge(ex.caller(), ex.credential or _ANYBODY, asked)
        if place == 0 or found.explicit:
            judgement = found
        if not judgement.allowed:
            break
    return judgement


async def _check_iam(ex: Exchange) -> None:
    try:
        credential = await ex.visit.identify()
    except AwsError as error:
        kind = "EXPIRED_TOKEN" if "Expired" in error.code else "INVALID_SIGNATURE"
        raise Refused(kind, error.message, error_type=error.code) from error
    if not credential.access_key:
        raise Refused("MISSING_AUTHENTICATION_TOKEN", "Missing Authentication Token")
    ex.credential = credential
    principal = ex.principal = credential.principal
    ex.identity = {
        "accessKey": credential.access_key,
        "accountId": principal.account,
        "caller": principal.id,
        "user": principal.id,
        "userArn": principal.arn,
    }
    judgement = await _judge(ex, identity=True)
    if not judgement.allowed:
        raise _denied(ex, judgement)


def _denied(ex: Exchange, judgement: Judgement) -> Refused:
    account = ex.program.account
    masked = ex.resource_arn.replace(account, "*" * (len(account) - _SHOWN) + account[-_SHOWN:], 1)
    end = " with an explicit deny" if judgement.explicit else ""
    return Refused(
        "ACCESS_DENIED", f"User: {ex.principal.arn} is not authorized to perform: {INVOKE} on resource: {masked}{end}"
    )


# --- functions as authorizers


async def _check_custom(ex: Exchange, authorization: Authorization) -> None:
    answer = await answer_of(ex, authorization)
    decision, *others = [authorizers.decide(answer, arn, _keys(ex)) for arn in ex.resource_arns]
    if decision.explicit or any(other.explicit for other in others):
        raise Refused("ACCESS_DENIED", f"{_NOT_AUTHORIZED} with an explicit deny", reason=_NOT_AUTHORIZED)
    if not decision.allowed and not ex.policy_allows:
        raise Refused("ACCESS_DENIED", _NOT_AUTHORIZED, reason=_NOT_AUTHORIZED)
    accept(ex, answer)


def accept(ex: Exchange, answer: Answer) -> None:
    """Take over what an authorizer says of the caller."""
    ex.authorizer = {
        "principalId": answer.principal,
        "integrationLatency": ex.authorizer.get("integrationLatency", 0),
        **{name: as_text(value) for name, value in answer.context.items()},
    }
    ex.usage_key = answer.usage_key


async def answer_of(ex: Exchange, authorization: Authorization) -> Answer:
    """What the authorizer says of the request's identity, lately or now. Raises Refused."""
    found = identity(ex, authorization)
    front, program = ex.front, ex.program
    key = (program.api_id, program.stage_name, authorization.id, found)
    answer = front.answers.get(key) if found and authorization.ttl > 0 and not ex.test else None
    if answer is not None:
        return answer
    function = function_of(fill(authorization.uri, ex.stage_variables))
    if function is None:
        raise Refused(
            "AUTHORIZER_CONFIGURATION_ERROR",
            None,
            reason="Execution failed due to configuration error: Invalid authorizer URI",
        )
    began = front.clock.now()
    call = ex.call(authorization.arn)
    event = events.token_event(ex, found[0]) if authorization.token else events.request_event(ex)
    if ex.log is not None:
        _tell_request(ex, authorization, function.function, found, event)
    try:
        answer = await authorizers.ask(front.functions, call, function.function, event, role=authorization.role)
    except authorizers.Unauthorized as error:
        raise Refused("UNAUTHORIZED", "Unauthorized") from error
    except authorizers.AuthorizerMisconfigured as error:
        raise Refused("AUTHORIZER_CONFIGURATION_ERROR", None, reason=str(error)) from error
    except authorizers.AuthorizerFailed as error:
        kind = "AUTHORIZER_CONFIGURATION_ERROR" if "permissions" in str(error) else "AUTHORIZER_FAILURE"
        raise Refused(kind, None, reason=str(error)) from error
    ex.authorizer = {"integrationLatency": int((front.clock.now() - began) * 1000)}
    if ex.log is not None:
        tell_decided(ex.log, answer.body, answer.principal)
    if found and not ex.test:
        front.answers.put(key, answer, authorization.ttl)
    return answer


def identity(ex: Exchange, authorization: Authorization) -> tuple[str, ...]:
    """The values of the identity sources. Raises Refused (401) when one is missing, or the token does not look like one."""
    values = []
    for place, name in authorization.sources:
        value = _value(ex, place, name)
        if not value:
            raise Refused("UNAUTHORIZED", "Unauthorized")
        values.append(value)
    if authorization.validation is not None and values:
        try:
            fits = authorization.validation.matches(values[0])
        except TooComplex:
            fits = False
        if not fits:
            raise Refused("UNAUTHORIZED", "Unauthorized")
    return tuple(values)


def _value(ex: Exchange, place: str, name: str) -> str:
    if place == "header":
        return ex.header(name) or ""
    if place == "querystring":
        return (ex.query.get(name) or [""])[-1]
    if place == "stageVariables":
        return ex.stage_variables.get(name, "")
    return as_text(look_up(variables.tree(ex), tuple(name.split("."))))


def _keys(ex: Exchange) -> Callable[[str], tuple[str, ...] | None]:
    values = {
        "aws:sourceip": (ex.request.peer,),
        "aws:useragent": (ex.header("user-agent") or "",),
        "aws:referer": (ex.header("referer") or "",),
        "aws:securetransport": ("true" if ex.request.scheme == "https" else "false",),
    }
    return values.get


def _tell_request(
    ex: Exchange, authorization: Authorization, function: str, found: tuple[str, ...], event: Mapping[str, Any]
) -> None:
    assert ex.log is not None
    tell_authorizer(ex.log, authorization.id, found)
    tell_request(ex, function, msgspec.json.encode(event))
    ex.log.show(f"Sending request to {function_url(ex.program.region, function)}")
