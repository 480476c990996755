"""Reads documents, JSON or YAML, within bounds: their size, how deep they go, how much they are when aliases are followed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import msgspec

LARGEST = 6 * 1024 * 1024
"""Bytes of a document; AWS's quota."""
_DEEPEST = 100
_MOST_NODES = 500_000
_MOST_REFERENCES = 50

INVALID = "Invalid OpenAPI input."


class DocumentError(ValueError):
    """A document that cannot be read; the message is as AWS has it."""


def load(body: bytes) -> dict[str, Any]:
    """A document's object; names that YAML takes for numbers are texts. Raises DocumentError."""
    if len(body) > LARGEST:
        raise DocumentError(f"{INVALID} The document is larger than {LARGEST} bytes.")
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DocumentError(INVALID) from None
    value = _json(text) if text.lstrip().startswith("{") else _yaml(text)
    if not isinstance(value, dict):
        raise DocumentError(INVALID)
    found: dict[str, Any] = _checked(value, 0, [_MOST_NODES])
    return found


def _json(text: str) -> Any:
    """A text that begins like JSON may still be YAML."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return _yaml(text)
    except RecursionError:
        raise DocumentError(INVALID) from None


def _yaml(text: str) -> Any:
    import yaml  # noqa: PLC0415  few nodes read YAML

    from cumulet.services.apigateway.openapi.yaml_loader import Loader  # noqa: PLC0415  as above

    try:
        return yaml.load(text, Loader)  # noqa: S506  (a safe loader)
    except (yaml.YAMLError, RecursionError, ValueError):  # TooLarge among them
        raise DocumentError(INVALID) from None


def _checked(value: Any, depth: int, left: list[int]) -> Any:
    """The value with all names as texts. What aliases repeat counts each time: they can make a small text a huge document."""
    left[0] -= 1
    if left[0] < 0 or depth > _DEEPEST:
        raise DocumentError(f"{INVALID} The document is too large or nested too deeply.")
    if isinstance(value, dict):
        return {
            name if isinstance(name, str) else _name(name): _checked(each, depth + 1, left)
            for name, each in value.items()
        }
    if isinstance(value, list):
        return [_checked(each, depth + 1, left) for each in value]
    return value


def _name(name: Any) -> str:
    """A name that YAML took for something else: a status, mostly."""
    if isinstance(name, bool):
        return "true" if name else "false"
    return "null" if name is None else str(name)


class Document:
    """A document with its kind; `kind` is "2.0" for Swagger, else the version of OpenAPI."""

    def __init__(self, body: bytes) -> None:
        self.root = load(body)
        kind = self.root.get("swagger") or self.root.get("openapi")
        self.kind = "" if kind is None else str(kind)
        if not (self.kind in {"2.0", "2"} or self.kind.startswith("3.")):
            raise DocumentError(INVALID)

    @property
    def swagger(self) -> bool:
        """Whether it is Swagger 2.0."""
        return self.kind.startswith("2")

    @property
    def info(self) -> dict[str, Any]:
        """Title, description, version."""
        return table(self.root.get("info"))

    @property
    def paths(self) -> dict[str, Any]:
        """What is at each path."""
        return {
            path: self.resolved(item) for path, item in table(self.root.get("paths")).items() if path.startswith("/")
        }

    @property
    def schemas(self) -> dict[str, Any]:
        """Schemas by name."""
        return table(self.root.get("definitions")) if self.swagger else self._component("schemas")

    @property
    def security_schemes(self) -> dict[str, Any]:
        """Security schemes by name."""
        named = table(self.root.get("securityDefinitions")) if self.swagger else self._component("securitySchemes")
        return {name: self.resolved(scheme) for name, scheme in named.items()}

    def _component(self, name: str) -> dict[str, Any]:
        return table(table(self.root.get("components")).get(name))

    def resolved(self, node: Any) -> dict[str, Any]:
        """An object, or what its `$ref` in this document leads to. Raises DocumentError for one that leads nowhere."""
        for _ in range(_MOST_REFERENCES):
            reference = node.get("$ref") if isinstance(node, dict) else None
            if not isinstance(reference, str):
                return table(node)
            node = self._at(reference)
        raise DocumentError(f"{INVALID} A reference leads to itself.")

    def _at(self, reference: str) -> Any:
        if not reference.startswith("#/"):
            raise DocumentError(f"{INVALID} References to other documents are not supported: {reference}")
        node: Any = self.root
        for part in reference[2:].split("/"):
            name = unquote(part).replace("~1", "/").replace("~0", "~")
            if not isinstance(node, dict) or name not in node:
                raise DocumentError(f"{INVALID} A reference leads nowhere: {reference}")
            node = node[name]
        return node

    def base_path(self) -> str:
        """`basePath`, or what OpenAPI 3 has for it: the variable of this name of the first server, else that server's path."""
        if self.swagger:
            return str(self.root.get("basePath") or "")
        servers = self.root.get("servers")
        server = table(servers[0]) if isinstance(servers, list) and servers else {}
        variables = {
            name: str(table(variable).get("default", "")) for name, variable in table(server.get("variables")).items()
        }
        if "basePath" in variables:
            return variables["basePath"]
        url = str(server.get("url", ""))
        for name, value in variables.items():
            url = url.replace("{" + name + "}", value)
        after = url.partition("://")[2] or url
        return "/" + after.partition("/")[2] if "://" in url else after


def table(value: Any) -> dict[str, Any]:
    """This object, or an empty one instead of anything else."""
    return value if isinstance(value, dict) else {}


def tables(value: Any) -> Iterator[dict[str, Any]]:
    """The objects of a list."""
    return (each for each in value if isinstance(each, dict)) if isinstance(value, list) else iter(())


def texts(value: Any) -> list[str]:
    """The texts of a list."""
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []
