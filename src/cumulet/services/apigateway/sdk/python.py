"""A client in Python, without dependencies."""

from __future__ import annotations

import keyword

from cumulet.services.apigateway.sdk.archive import runtime
from cumulet.services.apigateway.sdk.shape import Model, Operation, Shape, Type, safe, snake

_PLAIN = {"text": "str", "number": "float", "integer": "int", "boolean": "bool", "any": "Any"}
_RESERVED = frozenset({*keyword.kwlist, "self", "body", "query", "headers"})
_FOLDER = "api_client"


def files(shape: Shape, _: dict[str, str]) -> dict[str, str]:
    """A package: the client, the types of what it sends and gets, and what requests need."""
    return {
        f"{_FOLDER}/__init__.py": '"""A client of an API."""\n\nfrom .client import Client\nfrom .requests import Answer, ApiError\n\n'
        '__all__ = ["Answer", "ApiError", "Client"]\n',
        f"{_FOLDER}/client.py": _client(shape),
        f"{_FOLDER}/models.py": _models(shape),
        f"{_FOLDER}/requests.py": runtime("requests.py.txt"),
        f"{_FOLDER}/py.typed": "",
    }


def _type(kind: Type | None) -> str:
    if kind is None:
        return "None"
    if kind.kind == "model":
        return f"models.{kind.name}"
    if kind.inner is not None:
        inner = _type(kind.inner)
        return f"list[{inner}]" if kind.kind == "list" else f"dict[str, {inner}]"
    return _PLAIN[kind.kind]


def _models(shape: Shape) -> str:
    head = '"""What the API takes and gives."""\n\nfrom __future__ import annotations\n\nfrom typing import Any, TypedDict\n'
    return head + "".join(f"\n\n{_model(model)}" for model in shape.models)


def _model(model: Model) -> str:
    members = ", ".join(f"{each.name!r}: {_type(each.type).replace('models.', '')!r}" for each in model.fields)
    return f"{model.name} = TypedDict({model.name!r}, {{{members}}}, total=False)\n"


def _client(shape: Shape) -> str:
    methods = "\n".join(_method(operation) for operation in shape.operations)
    return f'''"""A client of the API."""

from __future__ import annotations

from typing import Any

from . import models
from .requests import Answer, Requests

URL = {shape.url!r}


class Client:
    """Methods of the API; each gives an Answer or raises ApiError. `body` is anything that JSON can hold, a text, or bytes."""

    def __init__(
        self,
        url: str = URL,
        *,
        region: str = {shape.region!r},
        api_key: str = "",
        access_key: str = "",
        secret_key: str = "",
        session_token: str = "",
        timeout: float = 30,
    ) -> None:
        self._requests = Requests(url, region, api_key, access_key, secret_key, session_token, timeout)

{methods}'''


def _method(operation: Operation) -> str:
    named = {each.name: safe(snake(each.variable), _RESERVED) for each in operation.parameters}
    needed = [f"{named[each.name]}: Any" for each in operation.parameters if each.required]
    free = [f"{named[each.name]}: Any = None" for each in operation.parameters if not each.required]
    body = [f"body: {_type(operation.body)} | None = None"] if operation.body is not None else []
    more = ["query: dict[str, Any] | None = None", "headers: dict[str, str] | None = None"]
    arguments = ", ".join(["self", *needed, *body, *(["*", *free, *more])])
    verb = repr(operation.verb if operation.verb != "ANY" else "POST" if operation.body else "GET")

    def placed(place: str) -> str:
        return ", ".join(f"{each.name!r}: {named[each.name]}" for each in operation.parameters if each.place == place)

    return f"""    def {safe(snake(operation.name), _RESERVED)}({arguments}) -> Answer:
        {f"{operation.verb} {operation.path}"!r}
        return self._requests.send(
            {verb},
            {operation.path!r},
            {{{placed("path")}}},
            {{{placed("querystring")}}} | (query or {{}}),
            {{{placed("header")}}} | (headers or {{}}),
            {"body" if operation.body is not None else "None"},
            {operation.content_type!r},
            {operation.authorization == "AWS_IAM"},
        )
"""
