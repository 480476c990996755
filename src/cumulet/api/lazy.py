"""Makes a service's structs and errors when they are first named.

Creating a msgspec class costs about 0.1 ms and some kilobytes; the services here have some 5,000, of which a node uses a
few hundred. A struct is made together with all that it refers to, since its annotations are resolved by name.
"""

import builtins
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
from msgspec import Struct

from cumulet.api.model import Member, Model, Shape, functions, load
from cumulet.kernel.errors import AwsError
from cumulet.kernel.streams import Stream

# Spelled out, since an attribute may be called as a builtin is (DynamoDB has a member BOOL) and would hide it.
SCALARS = {
    "string": "builtins.str",
    "character": "builtins.str",
    "integer": "builtins.int",
    "long": "builtins.int",
    "boolean": "builtins.bool",
    "blob": "builtins.bytes",
    "timestamp": "builtins.float",
    "double": "builtins.float",
    "float": "builtins.float",
}


def attributes(module_name: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` for the module of a service."""
    namespace = vars(sys.modules[module_name])
    namespace |= {"builtins": builtins, "ByteStream": Stream, "AsyncIterator": AsyncIterator, "Any": Any}
    short_name = module_name.rpartition(".")[2]

    def get(name: str) -> Any:
        if name == "OPERATIONS":
            namespace[name] = functions(short_name)
            return namespace[name]
        if name.startswith("__"):  # the import system asks whether it is a package
            raise AttributeError(f"module {module_name!r} has no attribute {name!r}")
        model = load(short_name)
        if name in model.shapes and _is_class(model.shape(name)):
            _define(model, name, namespace, module_name)
        else:
            raise AttributeError(f"module {module_name!r} has no attribute {name!r}")
        return namespace[name]

    def names() -> list[str]:
        model = load(short_name)
        return sorted(["OPERATIONS", *(name for name in model.shapes if _is_class(model.shape(name)))])

    return get, names


def _is_class(shape: Shape) -> bool:
    return shape.type == "structure" and not shape.document


def _define(model: Model, name: str, namespace: dict[str, Any], module_name: str) -> None:
    """Define a structure or error and every structure it leads to."""
    waiting = [name]
    while waiting:
        name = waiting.pop()
        if name in namespace:
            continue
        shape = model.shape(name)
        if shape.error is not None:
            namespace[name] = _error(name, shape, module_name)
        else:
            namespace[name] = _struct(model, name, shape, module_name, waiting)


def _error(name: str, shape: Shape, module_name: str) -> type[AwsError]:
    assert shape.error is not None
    body: dict[str, Any] = {"code": shape.error.code, "status": shape.error.status, "__module__": module_name}
    if shape.error.query_code:
        body["query_code"] = shape.error.query_code
    return type(name, (AwsError,), body)


def _struct(model: Model, name: str, shape: Shape, module_name: str, used: list[str]) -> type[Struct]:
    fields: list[tuple[str, Any] | tuple[str, Any, Any]] = []
    for member_name, member in shape.members.items():
        if shape.eventstream and model.shape(member.shape).error is not None:
            continue
        kind = _annotation(model, member, used)
        wire_name = member.field or member_name
        if member_name in shape.required:
            fields.append((member.attribute, kind, msgspec.field(name=wire_name)))
        else:
            fields.append((member.attribute, f"{kind} | None", msgspec.field(name=wire_name, default=None)))
    return msgspec.defstruct(name, fields, module=module_name, kw_only=True, omit_defaults=True)


def _annotation(model: Model, member: Member, used: list[str]) -> str:
    shape = model.shape(member.shape)
    if shape.document:
        return "Any"
    if member.streaming or shape.streaming:
        return "ByteStream"
    if shape.type == "list":
        assert shape.member is not None
        return f"builtins.list[{_annotation(model, shape.member, used)}]"
    if shape.type == "map":
        assert shape.value is not None
        return f"builtins.dict[builtins.str, {_annotation(model, shape.value, used)}]"
    if shape.type != "structure":
        return SCALARS[shape.type]
    used.append(member.shape)
    return f"AsyncIterator[{member.shape}]" if shape.eventstream else member.shape
