"""What a client of an API consists of, whatever its language: methods with their parameters and bodies, and the models of these."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from msgspec import Struct

from cumulet.api import apigateway as api
from cumulet.services.apigateway.rest.definition import Definition
from cumulet.services.apigateway.rest.models.schemas import referred

_WORDS = re.compile(r"[A-Za-z0-9]+")
_HUMPS = re.compile(r"(?<=[A-Za-z0-9])(?=[A-Z][a-z])|(?<=[a-z0-9])(?=[A-Z])")
_PLACES = ("path", "querystring", "header")
_DEEPEST = 30
_JSON = "application/json"


class Parameter(Struct, frozen=True):
    """A parameter: its name in the API, its name in code, and where it goes: path, querystring or header."""

    name: str
    variable: str
    place: str
    required: bool


class Type(Struct, frozen=True):
    """A type of a schema: `text`, `number`, `integer`, `boolean`, `any`, `list` (of `inner`), `map` (of `inner`), `model` (`name`)."""

    kind: str
    name: str = ""
    inner: Type | None = None


class Field(Struct, frozen=True):
    """A member of a model."""

    name: str
    variable: str
    type: Type
    required: bool


class Model(Struct, frozen=True):
    """An object with members, as a class of its own."""

    name: str
    description: str
    fields: tuple[Field, ...]


class Operation(Struct, frozen=True):
    """A method of the API. `body` and `answer` are None where it has none."""

    name: str
    verb: str
    path: str
    parameters: tuple[Parameter, ...]
    body: Type | None
    answer: Type | None
    content_type: str
    authorization: str
    key: bool


class Shape(Struct, frozen=True):
    """An API as its clients see it; `url` is where the stage answers."""

    title: str
    url: str
    region: str
    operations: tuple[Operation, ...]
    models: tuple[Model, ...]


def camel(text: str) -> str:
    """`pets/{petId}` becomes petsPetId."""
    words = _WORDS.findall(text)
    joined = "".join(word if index == 0 else word[:1].upper() + word[1:] for index, word in enumerate(words)) or "root"
    return f"_{joined}" if joined[0].isdigit() else joined


def pascal(text: str) -> str:
    """`pets/{petId}` becomes PetsPetId."""
    name = camel(text)
    return name[:1].upper() + name[1:]


def snake(text: str) -> str:
    """`petsPetId` becomes pets_pet_id, and `X-Trace` x_trace."""
    return _HUMPS.sub("_", camel(text)).lower()


def safe(name: str, reserved: frozenset[str]) -> str:
    """A name that is none of a language's own words."""
    return f"{name}_" if name in reserved else name


def plain_name(text: str, what: str) -> str:
    """A name of a class or package that was chosen; raises ValueError for what would not be one."""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*(?:[.-][A-Za-z0-9_]+)*", text):
        raise ValueError(f"Invalid {what} specified: {text}")
    return text


def shape_of(definition: Definition, *, url: str, region: str) -> Shape:
    """The clients' view of an API that runs at `url`."""
    models = _objects(definition)
    operations = []
    taken: set[str] = set()
    for resource in sorted(definition.resources.values(), key=lambda each: each.path or ""):
        for verb, method in sorted((resource.resource_methods or {}).items()):
            operation = _operation(resource.path or "/", verb, method, definition)
            name = operation.name
            while name in taken:
                name += "_"
            taken.add(name)
            operations.append(msgspec.structs.replace(operation, name=name))
    return Shape(definition.api.name or "", url, region, tuple(operations), tuple(models.values()))


def _operation(path: str, verb: str, method: api.Method, definition: Definition) -> Operation:
    named = {parameter.name: parameter for parameter in _declared(method)}
    for name in re.findall(r"\{([^}+]+)\+?\}", path):
        named.setdefault(name, Parameter(name, camel(name), "path", True))
    answers = method.method_responses or {}
    good = next((answers[status] for status in sorted(answers) if status.startswith("2")), None)
    models = method.request_models or {}
    takes_body = verb in {"POST", "PUT", "PATCH", "ANY"} or bool(models)
    return Operation(
        name=camel(method.operation_name) if method.operation_name else camel(path) + verb.capitalize(),
        verb=verb,
        path=path,
        parameters=tuple(named.values()),
        body=_of_models(models, definition) if takes_body else None,
        answer=_of_models((good.response_models or {}) if good else {}, definition),
        content_type=next(iter(models), _JSON),
        authorization=method.authorization_type or "NONE",
        key=bool(method.api_key_required),
    )


def _declared(method: api.Method) -> list[Parameter]:
    found = []
    for key, required in (method.request_parameters or {}).items():
        _, _, place, name = key.split(".", 3)
        if place in _PLACES:
            found.append(Parameter(name, camel(name), place, required or place == "path"))
    return found


def _of_models(models: dict[str, str], definition: Definition) -> Type:
    name = models.get(_JSON) or next(iter(models.values()), "")
    return _type({"$ref": f"/models/{name}"}, definition, 0) if name in definition.models else Type("any")


def _schema(model: api.Model) -> dict[str, Any]:
    try:
        schema = msgspec.json.decode(model.schema or "{}")
    except msgspec.DecodeError:
        return {}
    return schema if isinstance(schema, dict) else {}


def _objects(definition: Definition) -> dict[str, Model]:
    """The models that are objects with members."""
    found = {}
    for name, model in definition.models.items():
        schema = _schema(model)
        properties = schema.get("properties")
        if isinstance(properties, dict) and properties:
            required = schema.get("required")
            needed = set(required) if isinstance(required, list) else set()
            fields = tuple(
                Field(member, camel(member), _type(each, definition, 0), member in needed)
                for member, each in properties.items()
            )
            found[name] = Model(pascal(name), model.description or "", fields)
    return found


_PLAIN = {"string": "text", "number": "number", "integer": "integer", "boolean": "boolean"}


def _type(schema: Any, definition: Definition, depth: int) -> Type:
    if not isinstance(schema, dict) or depth > _DEEPEST:
        return Type("any")
    reference = schema.get("$ref")
    if isinstance(reference, str):
        name = referred(reference)
        model = definition.models.get(name)
        if model is None:
            return Type("any")
        inner = _schema(model)
        return Type("model", pascal(name)) if inner.get("properties") else _type(inner, definition, depth + 1)
    kind = schema.get("type")
    if kind == "array":
        return Type("list", inner=_type(schema.get("items"), definition, depth + 1))
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return Type("map", inner=_type(schema["additionalProperties"], definition, depth + 1))
    return Type(_PLAIN[kind]) if isinstance(kind, str) and kind in _PLAIN else Type("any")
