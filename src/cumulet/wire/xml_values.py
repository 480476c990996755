"""Structs to and from XML: the answers of query services, and both directions of rest-xml."""

import base64
import binascii
import operator
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

from cumulet.api.model import Member, Model, Namespace, Shape
from cumulet.wire import timestamps, xml
from cumulet.wire.shapes import ShapeCompiler, getter

Write = Callable[[Any, list[str]], None]
Read = Callable[[list[xml.Node]], Any]


class XmlWriter(ShapeCompiler[Callable[[str, Any, list[str]], None]]):
    """Functions `(element name, value, parts)` that append a value's XML to `parts`.

    A flattened list repeats the element; everything else is one element.
    """

    def __init__(self, model: Model, *, milliseconds: bool = False) -> None:
        super().__init__(model)
        self._milliseconds = milliseconds
        self._lists: dict[str, Callable[[str, list[Any], list[str]], None]] = {}

    def content(self, name: str, last: tuple[str, ...] = ()) -> Write:
        """A structure's members without an element around them; the members called `last` come after all others."""
        inner = self._elements(name)
        inner = [one for one in inner if one[0] not in last] + [one for one in inner if one[0] in last]
        held_by = getter([member.attribute for _, member in inner])
        written = [(tag, self.of(member)) for tag, member in inner]

        def write(value: Any, parts: list[str]) -> None:
            for (tag, part), held in zip(written, held_by(value), strict=True):
                if held is not None:
                    part(tag, held, parts)

        if not inner or any(self._text(member) is not xml.text for _, member in inner):
            return write
        row = "".join([f"<{tag}>%s</{tag}>" for tag, _ in inner])

        def write_texts(value: Any, parts: list[str]) -> None:
            texts = held_by(value)
            if None not in texts and xml.is_plain("".join(texts)):
                parts.append(row % texts)
            else:
                write(value, parts)

        return write_texts

    def _elements(self, name: str) -> list[tuple[str, Member]]:
        """The members of a structure that are elements, with their names."""
        return [
            (item_name(self.model, key, member), member)
            for key, member in self.model.shape(name).members.items()
            if not member.location and not member.xml_attribute
        ]

    def _columns(self, name: str) -> Callable[[str, list[Any], list[str]], None]:
        """Writes many of a structure, member by member: loops in C take half the time of a call for each of each."""
        inner = [
            (tag, operator.attrgetter(member.attribute), self._text(member), self._item_text(member), self.of(member))
            for tag, member in self._elements(name)
        ]

        def write(tag: str, items: list[Any], parts: list[str]) -> None:
            columns: list[Iterable[str]] = []
            row = f"<{tag}>"
            for name, held_by, text, item_text, part in inner:
                column = list(map(held_by, items))
                missing = column.count(None)
                if missing == len(column):
                    continue
                if text is not None and not missing:
                    columns.append(map(text, column))
                    row += f"<{name}>%s</{name}>"
                elif item_text is not None and not missing and all(len(held) == 1 for held in column):
                    columns.append(map(item_text, [held[0] for held in column]))
                    row += f"<{name}>%s</{name}>"
                else:
                    columns.append([_element(part, name, held) for held in column])
                    row += "%s"
            row += f"</{tag}>"
            parts += map(row.__mod__, zip(*columns, strict=True)) if columns else [row] * len(items)

        return write

    def _text(self, member: Member) -> Callable[[Any], str] | None:
        """How a scalar is written between its tags; None for what has parts."""
        shape = self.model.shape(member.shape)
        if shape.type in ("structure", "list", "map"):
            return None
        return scalar_text(member, shape, timestamps.ISO8601, milliseconds=self._milliseconds)

    def _item_text(self, member: Member) -> Callable[[Any], str] | None:
        """The same for the items of a flattened list, of which one is written as a scalar is; None for all else."""
        shape = self.model.shape(member.shape)
        flat = shape.type == "list" and (member.flattened or shape.flattened)
        return self._text(shape.member) if flat and shape.member is not None else None

    def structure(self, name: str, shape: Shape) -> Callable[[str, Any, list[str]], None]:
        content = self.content(name)
        marks = _marked(shape)
        declared = declaration(shape.xml_namespace)

        def write_plain(tag: str, value: Any, parts: list[str]) -> None:
            parts.append(f"<{tag}>")
            content(value, parts)
            parts.append(f"</{tag}>")

        def write(tag: str, value: Any, parts: list[str]) -> None:
            opening = "".join(
                f' {mark}="{xml.attribute(held)}"'
                for mark, attribute in marks
                if (held := getattr(value, attribute)) is not None
            )
            parts.append(f"<{tag}{declared if opening else ''}{opening}>")
            content(value, parts)
            parts.append(f"</{tag}>")

        return write if marks else write_plain

    def list_(self, member: Member, shape: Shape) -> Callable[[str, Any, list[str]], None]:
        assert shape.member is not None
        inner = shape.member.location_name or "member"
        write_flat = self._items(shape.member)

        def write(tag: str, value: Any, parts: list[str]) -> None:
            parts.append(f"<{tag}>")
            write_flat(inner, value, parts)
            parts.append(f"</{tag}>")

        return write_flat if member.flattened or shape.flattened else write

    def _items(self, member: Member) -> Callable[[str, Any, list[str]], None]:
        """One element for each item of a list."""
        shape = self.model.shape(member.shape)
        if shape.type == "structure" and not shape.document and not _marked(shape):

            def write_columns(tag: str, value: Any, parts: list[str]) -> None:
                written = self._lists.get(member.shape)
                if written is None:  # made when it is needed, as a structure may lead back to itself
                    written = self._lists[member.shape] = self._columns(member.shape)
                written(tag, value, parts)

            return write_columns
        item = self.of(member)

        def write(tag: str, value: Any, parts: list[str]) -> None:
            for part in value:
                item(tag, part, parts)

        return write

    def map_(self, member: Member, shape: Shape) -> Callable[[str, Any, list[str]], None]:
        assert shape.key is not None
        assert shape.value is not None
        item = self.of(shape.value)
        key_name, value_name = shape.key.location_name or "key", shape.value.location_name or "value"
        flat = member.flattened or shape.flattened

        def write(tag: str, value: Any, parts: list[str]) -> None:
            entry = tag if flat else "entry"
            if not flat:
                parts.append(f"<{tag}>")
            for key, part in value.items():
                parts.append(f"<{entry}>{xml.element(key_name, key)}")
                item(value_name, part, parts)
                parts.append(f"</{entry}>")
            if not flat:
                parts.append(f"</{tag}>")

        return write

    def scalar(self, member: Member, shape: Shape) -> Callable[[str, Any, list[str]], None]:
        render = scalar_text(member, shape, timestamps.ISO8601, milliseconds=self._milliseconds)
        return lambda tag, value, parts: parts.append(f"<{tag}>{render(value)}</{tag}>")


def _marked(shape: Shape) -> list[tuple[str, str]]:
    """The members of a structure that are attributes of its element: their names there, and in the struct."""
    return [
        (member.location_name or key, member.attribute) for key, member in shape.members.items() if member.xml_attribute
    ]


def _element(part: Callable[[str, Any, list[str]], None], tag: str, value: Any) -> str:
    """A value with its element, as one text; nothing for None."""
    if value is None:
        return ""
    parts: list[str] = []
    part(tag, value, parts)
    return "".join(parts)


def declaration(namespace: Namespace | None) -> str:
    """An xmlns attribute with the space before it; nothing for no namespace."""
    if namespace is None:
        return ""
    return f' xmlns:{namespace.prefix}="{namespace.uri}"' if namespace.prefix else f' xmlns="{namespace.uri}"'


def item_name(model: Model, key: str, member: Member) -> str:
    """The element of a member: a flattened list's is its items'."""
    shape = model.shape(member.shape)
    if (
        (member.flattened or shape.flattened)
        and shape.type == "list"
        and shape.member is not None
        and shape.member.location_name
    ):
        return shape.member.location_name
    return member.location_name or key


def scalar_text(member: Member, shape: Shape, form: str, *, milliseconds: bool = False) -> Callable[[Any], str]:
    """How a scalar is written between tags."""
    if shape.type in ("string", "character"):
        return _word if shape.enum else xml.text
    if shape.type == "boolean":
        return lambda value: "true" if value else "false"
    if shape.type == "blob":
        return lambda value: base64.b64encode(value).decode()
    if shape.type == "timestamp":
        return timestamps.writer(member.timestamp_format or shape.timestamp_format or form, milliseconds=milliseconds)
    return number_text if shape.type in ("double", "float") else str


_word = lru_cache(1024)(xml.text)
"""Of values that have names in a model: each is written again and again."""


def number_text(value: float) -> str:
    """A number as XML and AWS write it."""
    if value != value:
        return "NaN"
    return {float("inf"): "Infinity", float("-inf"): "-Infinity"}.get(value) or repr(float(value))


def _whole(text: str) -> int:
    return int(text)


def _boolean(text: str) -> bool:
    lowered = text.lower()
    if lowered not in ("true", "false"):
        raise ValueError(f"{text!r:.40} is neither true nor false")
    return lowered == "true"


def _blob(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from error


FROM_TEXT: dict[str, Callable[[str], Any]] = {
    "string": str,
    "character": str,
    "boolean": _boolean,
    "blob": _blob,
    "timestamp": timestamps.read,
    "integer": _whole,
    "long": _whole,
    "double": float,
    "float": float,
}


class XmlReader(ShapeCompiler[Read]):
    """Functions from the elements of one name to a value. Raise ValueError for text that its type cannot hold."""

    def structure(self, name: str, shape: Shape) -> Read:
        struct = getattr(self.api, name)
        inner: dict[str, list[tuple[str, Read]]] = {}
        marks: dict[str, str] = {}
        for key, member in shape.members.items():
            if member.xml_attribute:
                marks[(member.location_name or key).rpartition(":")[2]] = member.attribute
            elif not member.location:
                inner.setdefault(item_name(self.model, key, member), []).append((member.attribute, self.of(member)))
        blank = {member.attribute: None for key, member in shape.members.items() if key in shape.required}

        def read(nodes: list[xml.Node]) -> Any:
            arguments: dict[str, Any] = dict(blank)
            grouped: dict[str, list[xml.Node]] = {}
            for child in nodes[0].children:
                grouped.setdefault(child.name, []).append(child)
            for tag, found in grouped.items():
                for attribute, part in inner.get(tag, ()):
                    arguments[attribute] = part(found)
            for mark, value in nodes[0].attributes.items():
                known = marks.get(mark.rpartition(":")[2])
                if known is not None:
                    arguments[known] = value
            return struct(**arguments)

        return read

    def list_(self, member: Member, shape: Shape) -> Read:
        assert shape.member is not None
        item = self.of(shape.member)
        inner = shape.member.location_name or "member"
        if member.flattened or shape.flattened:
            return lambda nodes: [item([node]) for node in nodes]
        return lambda nodes: [item([child]) for child in nodes[0].children if child.name == inner]

    def map_(self, member: Member, shape: Shape) -> Read:
        assert shape.key is not None
        assert shape.value is not None
        item = self.of(shape.value)
        key_name, value_name = shape.key.location_name or "key", shape.value.location_name or "value"
        flat = member.flattened or shape.flattened

        def read(nodes: list[xml.Node]) -> Any:
            found = {}
            for entry in nodes if flat else nodes[0].children:
                key, value = entry.child(key_name), entry.child(value_name)
                if key is None or value is None:
                    raise ValueError(f"an entry of a map has no {key_name if key is None else value_name}")
                found[key.text] = item([value])
            return found

        return read

    def scalar(self, member: Member, shape: Shape) -> Read:
        convert = FROM_TEXT[shape.type]
        if shape.type in ("string", "character"):
            return lambda nodes: nodes[0].text
        return lambda nodes: convert(nodes[0].text.strip())
