"""A client in Swift: a package without dependencies."""

from __future__ import annotations

import msgspec

from cumulet.services.apigateway.sdk.archive import runtime
from cumulet.services.apigateway.sdk.shape import Model, Operation, Shape, Type, plain_name, safe

_TAKEN = frozenset({"body", "self", "requests"})
_PLAIN = {"text": "String", "number": "Double", "integer": "Int", "boolean": "Bool", "any": "JsonValue"}


def files(shape: Shape, parameters: dict[str, str]) -> dict[str, str]:
    """The package: its manifest, the client, models, and what requests need."""
    prefix = plain_name(parameters["classPrefix"], "class prefix").replace(".", "").replace("-", "")
    name = f"{prefix}Client"
    folder = f"{name}/Sources/{name}"
    return {
        f"{name}/Package.swift": _package(name),
        f"{folder}/{name}.swift": _client(shape, name, prefix),
        f"{folder}/Models.swift": "import Foundation\n" + "".join(_model(model, prefix) for model in shape.models),
        f"{folder}/Requests.swift": runtime("Requests.swift"),
        f"{name}/README.md": f"# {name}\n\n    import {name}\n\n    let client = {name}()\n",
    }


def _package(name: str) -> str:
    return f"""// swift-tools-version:5.7
import PackageDescription

let package = Package(
    name: "{name}",
    platforms: [.iOS(.v15), .macOS(.v12)],
    products: [.library(name: "{name}", targets: ["{name}"])],
    targets: [.target(name: "{name}")]
)
"""


def _type(kind: Type, prefix: str) -> str:
    if kind.kind == "model":
        return prefix + kind.name
    if kind.inner is not None:
        inner = _type(kind.inner, prefix)
        return f"[{inner}]" if kind.kind == "list" else f"[String: {inner}]"
    return _PLAIN[kind.kind]


def _model(model: Model, prefix: str) -> str:
    """A class, as models may refer to themselves."""
    members = "\n".join(f"    public var `{each.variable}`: {_type(each.type, prefix)}?" for each in model.fields)
    keys = "\n".join(f"        case `{each.variable}` = {_text(each.name)}" for each in model.fields)
    return f"""
public final class {prefix}{model.name}: Codable {{
{members}

    public init() {{}}

    enum CodingKeys: String, CodingKey {{
{keys}
    }}
}}
"""


def _client(shape: Shape, name: str, prefix: str) -> str:
    methods = "\n\n".join(_method(operation, prefix) for operation in shape.operations)
    return f"""import Foundation

/// Methods of the API; each gives an Answer or throws an ApiError.
public final class {name} {{
    /// What is set here holds for all requests: keys, for methods that need them.
    public let requests: Requests

    public init(url: String = {_text(shape.url)}, region: String = {_text(shape.region)}) {{
        requests = Requests(url: url, region: region)
    }}

{methods}
}}
"""


def _method(operation: Operation, prefix: str) -> str:
    named = {each.name: safe(each.variable, _TAKEN) for each in operation.parameters}
    arguments = [
        f"`{named[each.name]}`: String" + ("" if each.required else "? = nil")
        for each in sorted(operation.parameters, key=lambda each: not each.required)
    ]
    body = "nil"
    if operation.body is not None:
        arguments.append(f"body: {_type(operation.body, prefix)}? = nil")
        body = "try body.map { try JSONEncoder().encode($0) }"
    verb = operation.verb if operation.verb != "ANY" else "POST" if operation.body else "GET"

    def placed(place: str) -> str:
        pairs = [f"{_text(each.name)}: `{named[each.name]}`" for each in operation.parameters if each.place == place]
        return f"[{', '.join(pairs) or ':'}]"

    return f"""    /// {operation.verb} {operation.path}
    public func `{operation.name}`({", ".join(arguments)}) async throws -> Answer {{
        try await requests.send(
            "{verb}", {_text(operation.path)}, place: {placed("path")}, query: {placed("querystring")}, headers: {placed("header")},
            body: {body}, contentType: {_text(operation.content_type)}, signed: {str(operation.authorization == "AWS_IAM").lower()})
    }}"""


def _text(text: str) -> str:
    """A text of Swift: JSON escapes what Swift would."""
    return msgspec.json.encode(text).decode()
