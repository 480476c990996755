"""Authorizers made of a document's security schemes, and what a method asks of its callers."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from cumulet.api import apigateway as api
from cumulet.services.apigateway.openapi.document import Document, table, tables, texts
from cumulet.services.apigateway.rest.apis.fresh import part_id

AUTHORIZER = "x-amazon-apigateway-authorizer"
AUTH_TYPE = "x-amazon-apigateway-authtype"
AUTH = "x-amazon-apigateway-auth"
_KINDS = {"token": "TOKEN", "request": "REQUEST", "cognito_user_pools": "COGNITO_USER_POOLS", "jwt": "JWT"}
_AUTH_TYPES = {"COGNITO_USER_POOLS": "cognito_user_pools", "JWT": "jwt"}
_AUTHORIZATIONS = {"COGNITO_USER_POOLS": "COGNITO_USER_POOLS", "JWT": "JWT"}


class Demand(Struct):
    """What a method asks: an authorization type, an authorizer with scopes, an API key."""

    authorization: str = "NONE"
    authorizer: str | None = None
    scopes: list[str] | None = None
    key: bool = False


class Security:
    """The security schemes of a document; authorizers go to those of the API, under the ids they had."""

    def __init__(self, document: Document, authorizers: dict[str, api.Authorizer], errors: list[str]) -> None:
        self._schemes = document.security_schemes
        self._default = document.root.get("security")
        self._errors = errors
        self._ids = {authorizer.name or "": id for id, authorizer in authorizers.items()}
        self._authorizers = authorizers
        for name, scheme in self._schemes.items():
            if AUTHORIZER in scheme:
                self._add(name, scheme)

    def _add(self, name: str, scheme: dict[str, Any]) -> None:
        extension = table(scheme[AUTHORIZER])
        kind = _KINDS.get(str(extension.get("type", "")).lower())
        if kind is None:
            self._errors.append(
                f"Unable to create authorizer '{name}': Invalid authorizer type: {extension.get('type')}"
            )
            return
        id = self._ids.setdefault(name, part_id())
        self._authorizers[id] = api.Authorizer(
            id=id,
            name=name,
            type=kind,
            provider_arns=texts(extension.get("providerARNs")) or None,
            auth_type=_text(scheme.get(AUTH_TYPE)) or _AUTH_TYPES.get(kind, "custom"),
            authorizer_uri=_text(extension.get("authorizerUri")),
            authorizer_credentials=_text(extension.get("authorizerCredentials")),
            identity_source=_text(extension.get("identitySource")) or _source(scheme, kind),
            identity_validation_expression=_text(extension.get("identityValidationExpression")),
            authorizer_result_ttl_in_seconds=_seconds(extension.get("authorizerResultTtlInSeconds")),
        )

    def of(self, operation: dict[str, Any]) -> Demand:
        """What an operation asks, by its own `security` or that of the document."""
        demand = Demand()
        requirements = operation.get("security", self._default)
        for requirement in tables(requirements):
            for name, scopes in requirement.items():
                self._ask(demand, name, texts(scopes))
        kind = table(operation.get(AUTH)).get("type")
        if isinstance(kind, str):
            demand.authorization = kind.upper()
            if demand.authorization in {"NONE", "AWS_IAM"}:
                demand.authorizer = demand.scopes = None
        return demand

    def _ask(self, demand: Demand, name: str, scopes: list[str]) -> None:
        scheme = self._schemes.get(name, {})
        authorizer = self._authorizers.get(self._ids.get(name, ""))
        if AUTHORIZER in scheme:
            if authorizer is not None and demand.authorizer is None:
                demand.authorization = _AUTHORIZATIONS.get(authorizer.type or "", "CUSTOM")
                demand.authorizer, demand.scopes = authorizer.id, scopes or None
        elif str(scheme.get(AUTH_TYPE, "")).lower() == "awssigv4":
            demand.authorization = "AWS_IAM"
        elif scheme.get("type") == "apiKey" and str(scheme.get("name", "")).lower() == "x-api-key":
            demand.key = True


def _source(scheme: dict[str, Any], kind: str) -> str | None:
    """Where the token is: the header that the scheme names."""
    header = scheme.get("name")
    if kind == "REQUEST" or scheme.get("in", "header") != "header" or not isinstance(header, str):
        return None if kind == "REQUEST" else "method.request.header.Authorization"
    return f"method.request.header.{header}"


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _seconds(value: Any) -> int | None:
    try:
        return None if value is None else int(value)
    except (TypeError, ValueError):
        return None
