"""A client in TypeScript."""

from __future__ import annotations

import msgspec

from cumulet.services.apigateway.sdk.archive import runtime
from cumulet.services.apigateway.sdk.javascript import described
from cumulet.services.apigateway.sdk.shape import Operation, Shape, Type

_PLAIN = {"text": "string", "number": "number", "integer": "number", "boolean": "boolean", "any": "unknown"}
_DECLARED = """export interface Sent { name: string; verb: string; path: string; contentType: string; authorization: string;
  parameters: { name: string; place: string; required: boolean }[]; }
export function send(config: object, operation: Sent, params?: object, body?: unknown, more?: object): Promise<any>;
"""


def files(shape: Shape, _: dict[str, str]) -> dict[str, str]:
    """The client with its types, and what requests need."""
    package = {"name": "apigateway-client", "version": "1.0.0", "private": True, "types": "client.ts"}
    return {
        "api-client/client.ts": _client(shape),
        "api-client/requests.js": runtime("requests.js"),
        "api-client/requests.d.ts": _DECLARED,
        "api-client/package.json": msgspec.json.format(msgspec.json.encode(package), indent=2).decode() + "\n",
    }


def _type(kind: Type | None) -> str:
    if kind is None:
        return "undefined"
    if kind.kind == "model":
        return kind.name
    if kind.inner is not None:
        inner = _type(kind.inner)
        return f"{inner}[]" if kind.kind == "list" else f"Record<string, {inner}>"
    return _PLAIN[kind.kind]


def _client(shape: Shape) -> str:
    models = "\n\n".join(
        f"export interface {model.name} {{\n"
        + "".join(f"  {_text(each.name)}{'' if each.required else '?'}: {_type(each.type)};\n" for each in model.fields)
        + "}"
        for model in shape.models
    )
    methods = "\n\n".join(_method(operation) for operation in shape.operations)
    return f"""import * as requests from "./requests.js";

export interface Config {{
  invokeUrl?: string; region?: string; apiKey?: string;
  accessKey?: string; secretKey?: string; sessionToken?: string;
}}

export interface More {{ headers?: Record<string, string>; queryParams?: Record<string, string>; method?: string; }}

export interface Answer<T> {{ status: number; statusText: string; headers: Record<string, string>; data: T; }}

{models}

/** Methods of the API; an answer that is no success rejects the promise with an error that has `response`. */
export class Client {{
  private readonly config: Config;

  constructor(config: Config = {{}}) {{
    this.config = {{ invokeUrl: {_text(shape.url)}, region: {_text(shape.region)}, ...config }};
  }}

{methods}
}}
"""


def _method(operation: Operation) -> str:
    members = "; ".join(
        f"{_text(each.name)}{'' if each.required else '?'}: string | number | boolean" for each in operation.parameters
    )
    needed = any(each.required for each in operation.parameters)
    params = f"params: {{ {members} }}" + ("" if needed else " = {}")
    body = f"body?: {_type(operation.body)}" if operation.body is not None else "body?: undefined"
    return f"""  /** {operation.verb} {operation.path.replace("*/", "* /")} */
  {operation.name}({params}, {body}, more: More = {{}}): Promise<Answer<{_type(operation.answer)}>> {{
    return requests.send(this.config, {described(operation)}, params, body, more);
  }}"""


def _text(text: str) -> str:
    return msgspec.json.encode(text).decode()
