"""Tokens of user pools and other issuers, as authorizers of REST APIs take them.

https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-integrate-with-cognito.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from cumulet.services.apigateway.rest.pipeline.exchange import Exchange, Refused

if TYPE_CHECKING:
    from cumulet.api import apigateway as api


class Rules(Struct, frozen=True):
    """What a token must be: from one of `issuers`, for one of its audiences (anyone's when there are none), with one of `scopes`."""

    issuers: tuple[tuple[str, tuple[str, ...]], ...]
    scopes: tuple[str, ...]


def rules(authorizer: api.Authorizer, scopes: list[str]) -> Rules:
    """Those of an authorizer: user pools by ARN, or issuers' addresses with their audiences."""
    configuration = authorizer.jwt_configuration
    if configuration is not None and configuration.issuers:
        issuers = [(each.issuer or "", tuple(each.audiences or ())) for each in configuration.issuers]
    else:
        issuers = [(_issuer(arn), ()) for arn in authorizer.provider_arns or ()]
    return Rules(tuple(issuers), tuple(scopes))


def _issuer(arn: str) -> str:
    """`arn:aws:cognito-idp:REGION:ACCOUNT:userpool/ID` issues tokens as `https://cognito-idp.REGION.amazonaws.com/ID`."""
    parts = arn.split(":")
    if len(parts) < 6:
        return arn
    return f"https://cognito-idp.{parts[3]}.amazonaws.com/{parts[5].rpartition('/')[2]}"


async def check(ex: Exchange, rules: Rules, token: str) -> None:
    """Verify a token and take over its claims. Raises Refused."""
    claims = await _verified(ex, rules, token)
    if rules.scopes:
        held = str(claims.get("scope", "")).split()
        if not any(scope in held for scope in rules.scopes):
            raise Refused("ACCESS_DENIED", "User is not authorized to access this resource")
    elif claims.get("token_use") == "access" and "cognito" in str(claims.get("iss", "")):
        raise Refused("UNAUTHORIZED", "Unauthorized")  # without scopes, user pools' identity tokens alone are taken
    ex.authorizer = {"claims": {name: _text(value) for name, value in claims.items()}}


async def _verified(ex: Exchange, rules: Rules, token: str) -> dict[str, Any]:
    """The claims of a good token. Raises Refused."""
    from cumulet.services.apigateway.plane.jwt import BadToken, IssuerSilent  # noqa: PLC0415  as its verifier

    reason = "no issuer"
    for issuer, audiences in rules.issuers:
        try:
            verified = await ex.front.verifier().verify(token, issuer, audiences)
        except (BadToken, IssuerSilent) as error:
            reason = str(error)
            continue
        return verified.claims
    raise Refused("UNAUTHORIZED", "Unauthorized", reason=f"Unauthorized: {reason}")


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(str(one) for one in value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
