"""REST APIs made of documents: new ones, and changes to those that there are.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-import-api.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from cumulet.api import apigateway as api
from cumulet.services.apigateway.errors import bad_request
from cumulet.services.apigateway.limits import Limits
from cumulet.services.apigateway.openapi import documentation
from cumulet.services.apigateway.openapi.document import Document, DocumentError, table, texts
from cumulet.services.apigateway.openapi.methods import VERBS, Reader
from cumulet.services.apigateway.openapi.models import Models
from cumulet.services.apigateway.openapi.security import Security
from cumulet.services.apigateway.rest.apis import rules as api_rules
from cumulet.services.apigateway.rest.apis.fresh import part_id
from cumulet.services.apigateway.rest.definition import Definition
from cumulet.services.apigateway.rest.gateway_responses import STATUSES

_PREFIX = "x-amazon-apigateway-"
BASE_PATHS = ("ignore", "prepend", "split")


AWS = "https://apigateway.amazonaws.com"


def read(
    body: bytes, parameters: Mapping[str, str], base: Definition, mode: str, limits: Limits, address: str = AWS
) -> tuple[Definition, list[str]]:
    """The API that `base` becomes by a document, and warnings.

    `mode` is `overwrite` (only what the document has stays; what is at the same path or has the same name keeps its id) or `merge`.
    References between models lead to `address`. Raises BadRequestException for a document that cannot be read, or with all that is wrong in it.
    """
    try:
        return _Import(body, parameters, base, merge=mode == "merge", limits=limits).run(address)
    except DocumentError as error:
        raise bad_request(str(error)) from error


_SECURITY = {"security-policy": "security_policy", "endpoint-access-mode": "endpoint_access_mode"}


class _Import:
    def __init__(
        self, body: bytes, parameters: Mapping[str, str], base: Definition, *, merge: bool, limits: Limits
    ) -> None:
        self.document = Document(body)
        self.parameters = {name.lower(): value for name, value in parameters.items()}
        self.merge = merge
        self.limits = limits
        self.base = base
        self.warnings: list[str] = []
        self.errors: list[str] = []
        self.made = Definition(api=replace(base.api), resources=self._resources())
        for field in ("models", "validators", "authorizers", "gateway_responses", "documentation"):
            setattr(self.made, field, dict(getattr(base, field)) if merge else {})

    def _resources(self) -> dict[str, api.Resource]:
        """Those of before; where they are not kept, only the root, without its methods."""
        if self.merge:
            return dict(self.base.resources)
        root = self.base.api.root_resource_id or ""
        return {root: api.Resource(id=root, path="/")}

    def run(self, address: str) -> tuple[Definition, list[str]]:
        made = self.made
        self._api(made.api)
        models = Models(self.document, f"{address}/restapis/{made.api.id}/models", made.models, self.errors)
        authorizers = dict(self.base.authorizers)
        security = Security(self.document, authorizers, self.errors)
        named = self.document.security_schemes
        made.authorizers |= {id: each for id, each in authorizers.items() if self.merge or each.name in named}
        self._gateway_responses()
        reader = Reader(
            document=self.document,
            models=models,
            security=security,
            validators=self._validators(),
            limits=self.limits,
            warnings=self.warnings,
            errors=self.errors,
        )
        self._paths(reader)
        if self.parameters.get("ignore") != "documentation":
            documentation.read(self.document.root, made.documentation)
        if self.errors:
            raise bad_request("Errors found during import:\n\t" + "\n\t".join(self.errors))
        return made, self.warnings

    def _extension(self, name: str) -> Any:
        return self.document.root.get(_PREFIX + name)

    def _api(self, rest_api: api.RestApi) -> None:
        info = self.document.info
        rest_api.name = str(info.get("title") or rest_api.name or "")
        if not rest_api.name:
            raise bad_request("API title must be non-empty in the document's info.")
        if info.get("version") is not None or not self.merge:
            rest_api.version = _text(info.get("version"))
        if info.get("description") is not None or not self.merge:
            rest_api.description = _text(info.get("description"))
        binary = texts(self._extension("binary-media-types"))
        before = (rest_api.binary_media_types or []) if self.merge else []
        rest_api.binary_media_types = [*before, *(each for each in binary if each not in before)] or None
        size = self._extension("minimum-compression-size")
        if size is not None or not self.merge:
            rest_api.minimum_compression_size = api_rules.compression(size if isinstance(size, int) else None)
        source = self._extension("api-key-source")
        if isinstance(source, str):
            rest_api.api_key_source = source.upper()
        policy = self._extension("policy")
        if policy is not None or not self.merge:
            rest_api.policy = msgspec.json.encode(policy).decode() if isinstance(policy, dict) else _text(policy)
        for name, field in _SECURITY.items():
            if isinstance(given := self._extension(name), str):
                setattr(rest_api, field, given)
        api_rules.check(rest_api)
        self._endpoint(rest_api)

    def _endpoint(self, rest_api: api.RestApi) -> None:
        servers = self.document.root.get("servers")
        first = table(servers[0]) if isinstance(servers, list) and servers else {}
        extension = table(first.get(_PREFIX + "endpoint-configuration")) | table(
            self._extension("endpoint-configuration")
        )
        disabled = extension.get("disableExecuteApiEndpoint")
        if isinstance(disabled, bool):
            rest_api.disable_execute_api_endpoint = disabled
        kind = self.parameters.get("endpointconfigurationtypes")
        ids = texts(extension.get("vpcEndpointIds"))
        if kind is None and not ids:
            return
        before = rest_api.endpoint_configuration
        types = [kind.upper()] if kind else before.types if before else None
        rest_api.endpoint_configuration = api_rules.endpoint(
            api.EndpointConfiguration(types=types, vpc_endpoint_ids=ids or None)
        )

    def _validators(self) -> dict[str, str]:
        """Ids of validators by their names."""
        ids = {each.name or "": id for id, each in self.base.validators.items()}
        for name, described in table(self._extension("request-validators")).items():
            id = ids.setdefault(name, part_id())
            self.made.validators[id] = api.RequestValidator(
                id=id,
                name=name,
                validate_request_body=table(described).get("validateRequestBody") is True,
                validate_request_parameters=table(described).get("validateRequestParameters") is True,
            )
        return {each.name or "": id for id, each in self.made.validators.items()}

    def _gateway_responses(self) -> None:
        for kind, described in table(self._extension("gateway-responses")).items():
            if kind not in STATUSES:
                self.errors.append(f"Invalid gateway response type: {kind}")
                continue
            status = table(described).get("statusCode")
            self.made.gateway_responses[kind] = api.GatewayResponse(
                response_type=kind,
                status_code=STATUSES[kind] if status is None else str(status),
                response_parameters=_texts(table(described).get("responseParameters")),
                response_templates=_texts(table(described).get("responseTemplates")),
                default_response=False,
            )

    def _prefix(self) -> str:
        """What goes in front of all paths."""
        handling = self.parameters.get("basepath", "ignore").lower()
        if handling not in BASE_PATHS:
            raise bad_request("Invalid basepath mode. Valid options are ignore, prepend, split")
        parts = [part for part in self.document.base_path().split("/") if part]
        if handling == "ignore":
            return ""
        return "".join(f"/{part}" for part in (parts[1:] if handling == "split" else parts))

    def _paths(self, reader: Reader) -> None:
        prefix = self._prefix()
        known = {each.path or "": id for id, each in self.base.resources.items()}
        for path, item in self.document.paths.items():
            resource = self._resource([part for part in f"{prefix}{path}".split("/") if part], known)
            for verb, name in VERBS.items():
                if verb in item:
                    method = reader.read(resource.path or "", verb, item, resource.id or "")
                    resource.resource_methods = (resource.resource_methods or {}) | {name: method}

    def _resource(self, parts: list[str], known: dict[str, str]) -> api.Resource:
        """The resource at a path, with those above it."""
        resources = self.made.resources
        resource = resources[self.made.api.root_resource_id or ""]
        for depth, part in enumerate(parts, 1):
            path = "/" + "/".join(parts[:depth])
            id = known.setdefault(path, part_id())
            if id not in resources:
                resources[id] = api.Resource(id=id, parent_id=resource.id, path_part=part, path=path)
            resource = resources[id]
        return resource


def _text(value: Any) -> str | None:
    return None if value is None or isinstance(value, dict | list) or value == "" else str(value)


def _texts(value: Any) -> dict[str, str]:
    return {name: each for name, each in table(value).items() if isinstance(each, str)}
