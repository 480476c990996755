"""Values of a type that their shape does not have, and the words in which a service tells of them."""

from typing import Any

from cumulet.kernel.errors import AwsError
from cumulet.wire.quirks import Quirks
from cumulet.wire.validate import article

_CODE = "SerializationException"
_STRUCTURE = "Start of structure or map found where not expected"
_NOT_A_CLASS = (
    "class sun.reflect.generics.reflectiveObjects.ParameterizedTypeImpl cannot be cast to class java.lang.Class"
    " (sun.reflect.generics.reflectiveObjects.ParameterizedTypeImpl and java.lang.Class are in module java.base of loader"
    " 'bootstrap')"
)
"""What DynamoDB's framework says of a scalar in the place of a list or map within another: the slip of its own is shown."""
_JAVA_CLASSES = {"Blob": "java.nio.ByteBuffer", "Timestamp": "java.util.Date"}


class WrongType(Exception):
    """A value that its shape cannot hold.

    `wanted` is Java's name of the type, as AWS's messages have it; `shape` the structure wanted, or that of a map's values.
    `within`: the value is an item of a list or map. `why` takes the place of the message, where there is one of its own.
    """

    def __init__(self, value: Any, wanted: str, *, shape: str = "", why: str = "") -> None:
        super().__init__(f"{type(value).__name__} is no {wanted}")
        self.value = value
        self.wanted = wanted
        self.shape = shape
        self.why = why
        self.within = False


def serialization(error: WrongType, quirks: Quirks) -> AwsError:
    """The service's error for a value of the wrong type."""
    words = {"tokens": _by_token, "classes": _by_class, "collections": _by_collection}[quirks.wrong_types]
    return AwsError(error.why or words(error, quirks), code=_CODE)


def _by_token(error: WrongType, _: Quirks) -> str:
    if isinstance(error.value, dict):
        return f"{_STRUCTURE}."
    if isinstance(error.value, list):
        return "Start of list found where not expected"
    if error.wanted in ("Structure", "Map", "List"):
        return "Unexpected field type"
    return f"{_token(error.value)} can not be converted to {article(error.wanted)}"


def _by_class(error: WrongType, _: Quirks) -> str:
    return f"{_java_class(error.value)} can not be converted to an {error.wanted}"


def _by_collection(error: WrongType, quirks: Quirks) -> str:
    value, wanted = error.value, error.wanted
    if isinstance(value, dict):
        return _STRUCTURE
    if isinstance(value, list):
        return f"Unrecognized collection type {_wanted_class(error, quirks)}"
    if wanted in ("Map", "List"):
        return _NOT_A_CLASS if error.within else "Unexpected field type"
    if wanted == "Structure":
        return "Unexpected value type in payload" if error.within else "Unexpected field type"
    if wanted == "Blob":
        return "only base-64-encoded strings are convertible to bytes"
    if wanted == "Timestamp":
        wanted = "milliseconds since epoch"
    return f"{_token(value)} cannot be converted to {wanted}"


def _wanted_class(error: WrongType, quirks: Quirks) -> str:
    package = quirks.type_prefix.rstrip("#")
    if error.wanted == "Structure":
        return f"class {package}.{error.shape}"
    if error.wanted == "Map":
        return f"java.util.Map<java.lang.String, {_values_class(error.shape, package)}>"
    return f"class {_JAVA_CLASSES.get(error.wanted) or f'java.lang.{error.wanted}'}"


def _values_class(shape: str, package: str) -> str:
    if shape.startswith("List<"):
        return f"java.util.List<{_values_class(shape[len('List<') : -1], package)}>"
    return "java.lang.String" if shape == "String" else f"{package}.{shape}"


def _token(value: Any) -> str:
    if isinstance(value, bool):
        return "TRUE_VALUE" if value else "FALSE_VALUE"
    if isinstance(value, str):
        return "STRING_VALUE"
    return "DECIMAL_VALUE" if isinstance(value, float) else "NUMBER_VALUE"


def _java_class(value: Any) -> str:
    if isinstance(value, dict | list):
        return "Start of structure or map" if isinstance(value, dict) else "Start of list"
    if isinstance(value, bool):
        return "class java.lang.Boolean"
    if isinstance(value, str):
        return "class java.lang.String"
    return "class com.amazon.coral.value.json.numbers.TruncatingBigNumber"
