"""Reads an HTTP API from an OpenAPI 3 document.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-open-api.html
"""

from __future__ import annotations

from typing import Any

from cumulet.api import apigatewayv2 as v2
from cumulet.kernel.ids import short_id
from cumulet.services.apigateway.http import authorizers, integrations
from cumulet.services.apigateway.http.cors import checked
from cumulet.services.apigateway.http.definition import Definition
from cumulet.services.apigateway.http.errors import bad
from cumulet.services.apigateway.http.routes import METHODS, check_key
from cumulet.services.apigateway.openapi.document import Document, DocumentError, table, tables, texts

_X = "x-amazon-apigateway-"
_VERBS = tuple(method.lower() for method in METHODS if method != "ANY")
_IGNORED = (
    "gateway-responses",
    "request-validators",
    "policy",
    "api-key-source",
    "binary-media-types",
    "minimum-compression-size",
)
_BASEPATHS = ("ignore", "prepend", "split")


def read(text: str, basepath: str) -> tuple[Definition, list[str]]:
    """The API of a document, with warnings about what was ignored. `basepath`: ignore, prepend or split, as AWS has them.

    Raises BadRequestException.
    """
    if basepath not in _BASEPATHS:
        raise bad(f"Invalid basepath specified. Must be one of [{', '.join(_BASEPATHS)}]")
    try:
        document = Document(text.encode())
        if document.swagger:
            raise bad("Invalid OpenAPI input: only OpenAPI version 3.0.x is supported for HTTP APIs")
        return _Import(document).run(basepath)
    except DocumentError as error:
        raise bad(str(error)) from None


class _Import:
    """One document on its way to being an API."""

    def __init__(self, document: Document) -> None:
        self.document = document
        root, info = document.root, document.info
        endpoint = table(root.get(f"{_X}endpoint-configuration"))
        title = info.get("title")
        if not isinstance(title, str) or not title:
            raise bad("Unable to import because the document has no title.")
        api = v2.Api(
            name=title,
            protocol_type="HTTP",
            route_selection_expression="$request.method $request.path",
            description=_text(info.get("description")),
            version=_text(info.get("version")),
            disable_execute_api_endpoint=bool(endpoint.get("disableExecuteApiEndpoint")),
            cors_configuration=_cors(root.get(f"{_X}cors")),
            tags=_tags(root),
        )
        self.definition = Definition(api=api)
        self.warnings: list[str] = []
        self._authorizers: dict[str, v2.Authorizer] = {}
        self._shared: dict[str, str] = {}

    def run(self, basepath: str) -> tuple[Definition, list[str]]:
        root = self.document.root
        for name in _IGNORED:
            if f"{_X}{name}" in root:
                self.warnings.append(f"{_X}{name} is not supported for HTTP APIs and is ignored.")
        prefix = self._prefix(basepath)
        for name, scheme in self.document.security_schemes.items():
            self._scheme(name, scheme)
        for path, item in self.document.paths.items():
            for verb in (*_VERBS, f"{_X}any-method"):
                operation = item.get(verb)
                if isinstance(operation, dict):
                    self._route(f"{prefix}{path}", verb, operation)
        return self.definition, self.warnings

    def _prefix(self, basepath: str) -> str:
        base = "/" + self.document.base_path().strip("/")
        if basepath == "ignore" or base == "/":
            return ""
        if basepath == "split":
            # The first part stands for a stage, which the caller makes.
            base = "/" + base[1:].partition("/")[2]
        return base.rstrip("/")

    def _scheme(self, name: str, scheme: dict[str, Any]) -> None:
        extension = table(scheme.get(f"{_X}authorizer"))
        if not extension:
            return
        kind = str(extension.get("type", "")).upper()
        source = extension.get("identitySource")
        sources = [part.strip() for part in source.split(",")] if isinstance(source, str) else texts(source)
        authorizer = v2.Authorizer(authorizer_id=short_id(6), name=name, authorizer_type=kind, identity_source=sources)
        if kind == "JWT":
            jwt = table(extension.get("jwtConfiguration"))
            issuer = jwt.get("issuer") or str(scheme.get("openIdConnectUrl") or "").removesuffix(
                "/.well-known/openid-configuration"
            )
            authorizer.jwt_configuration = v2.JWTConfiguration(issuer=issuer, audience=texts(jwt.get("audience")))
            authorizer.identity_source = sources or ["$request.header.Authorization"]
        elif kind == "REQUEST":
            authorizer.authorizer_uri = _text(extension.get("authorizerUri"))
            authorizer.authorizer_credentials_arn = _text(extension.get("authorizerCredentials"))
            authorizer.authorizer_payload_format_version = str(extension.get("authorizerPayloadFormatVersion") or "2.0")
            ttl = extension.get("authorizerResultTtlInSeconds")
            authorizer.authorizer_result_ttl_in_seconds = ttl if isinstance(ttl, int) else (300 if sources else 0)
            authorizer.enable_simple_responses = extension.get("enableSimpleResponses") is True
        else:
            self.warnings.append(
                f"The authorizer {name} has the type {kind or 'none'}, which HTTP APIs have not; it is ignored."
            )
            return
        authorizers.check(self.definition.api, authorizer)
        self._authorizers[name] = authorizer
        self.definition.authorizers[str(authorizer.authorizer_id)] = authorizer

    def _route(self, path: str, verb: str, operation: dict[str, Any]) -> None:
        wild = verb.startswith("x-")
        default = path.endswith("/$default") or operation.get("isDefaultRoute") is True
        key = "$default" if default and wild else f"{'ANY' if wild else verb.upper()} {path}"
        check_key(self.definition.api, key)
        route = v2.Route(
            route_id=short_id(7),
            route_key=key,
            api_key_required=False,
            authorization_type="NONE",
            operation_name=_text(operation.get("operationId")),
            target=self._target(key, operation),
        )
        self._guard(route, operation)
        self.definition.routes[str(route.route_id)] = route

    def _guard(self, route: v2.Route, operation: dict[str, Any]) -> None:
        if str(table(operation.get(f"{_X}auth")).get("type", "")).upper() == "AWS_IAM":
            route.authorization_type = "AWS_IAM"
            return
        for demand in tables(operation.get("security", self.document.root.get("security"))):
            for name, scopes in demand.items():
                authorizer = self._authorizers.get(name)
                if authorizer is None:
                    self.warnings.append(
                        f"The security scheme {name} of {route.route_key} has no authorizer; it is ignored."
                    )
                    continue
                route.authorizer_id = authorizer.authorizer_id
                route.authorization_type = "JWT" if authorizer.authorizer_type == "JWT" else "CUSTOM"
                route.authorization_scopes = texts(scopes) or None if route.authorization_type == "JWT" else None
                return

    def _target(self, key: str, operation: dict[str, Any]) -> str | None:
        raw = operation.get(f"{_X}integration")
        if not isinstance(raw, dict):
            self.warnings.append(f"The route {key} has no integration.")
            return None
        reference = raw.get("$ref")
        if isinstance(reference, str) and reference in self._shared:
            return self._shared[reference]
        described = self.document.resolved(raw)
        integration = _integration(described)
        integrations.complete(self.definition.api, integration)
        integrations.check(self.definition.api, integration)
        self.definition.integrations[str(integration.integration_id)] = integration
        target = f"integrations/{integration.integration_id}"
        if isinstance(reference, str):
            self._shared[reference] = target
        return target


def _integration(described: dict[str, Any]) -> v2.Integration:
    responses = {
        status: {name: str(value) for name, value in table(held).items()}
        for status, held in table(described.get("responseParameters")).items()
    }
    timeout = described.get("timeoutInMillis")
    tls = table(described.get("tlsConfig"))
    return v2.Integration(
        integration_id=short_id(7),
        integration_type=str(described.get("type", "")).upper(),
        integration_subtype=_text(described.get("integrationSubtype")),
        integration_method=_text(described.get("httpMethod")),
        integration_uri=_text(described.get("uri")),
        payload_format_version=str(described.get("payloadFormatVersion") or "1.0"),
        timeout_in_millis=timeout if isinstance(timeout, int) else None,
        connection_type=_text(described.get("connectionType")),
        connection_id=_text(described.get("connectionId")),
        credentials_arn=_text(described.get("credentials")),
        description=_text(described.get("description")),
        request_parameters={name: str(one) for name, one in table(described.get("requestParameters")).items()} or None,
        response_parameters=responses or None,
        tls_config=v2.TlsConfig(server_name_to_verify=_text(tls.get("serverNameToVerify"))) if tls else None,
    )


def _cors(value: Any) -> v2.Cors | None:
    if value is True:
        return v2.Cors(allow_origins=["*"])
    given = table(value)
    if not given:
        return None
    age = given.get("maxAge")
    return checked(
        v2.Cors(
            allow_credentials=given.get("allowCredentials") is True,
            allow_headers=texts(given.get("allowHeaders")) or None,
            allow_methods=texts(given.get("allowMethods")) or None,
            allow_origins=texts(given.get("allowOrigins")) or None,
            expose_headers=texts(given.get("exposeHeaders")) or None,
            max_age=age if isinstance(age, int) else None,
        )
    )


def _tags(root: dict[str, Any]) -> dict[str, str]:
    found = {}
    for tag in tables(root.get("tags")):
        value = tag.get(f"{_X}tag-value")
        if isinstance(value, str) and isinstance(tag.get("name"), str):
            found[tag["name"]] = value
    return found


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
