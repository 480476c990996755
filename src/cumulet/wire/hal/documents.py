"""A result as a HAL document. https://datatracker.ietf.org/doc/html/draft-kelly-json-hal

As AWS writes them: relations and members in the order of their names, a list of one as that one, moments as texts, and in
structures within a thing also what is not set.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote, urlencode

import msgspec

from cumulet.api.model import Model, Operation
from cumulet.wire import timestamps
from cumulet.wire.codec import Match
from cumulet.wire.hal.relations import CURIES, DOCUMENTATION, KINDS, Kind

CONTENT_TYPE: Final = "application/hal+json"

Document = dict[str, Any]

_NAME = re.compile(r"\[(\w+)\]")
_LABEL = re.compile(r"\{(\w+)\}")
_IN_PATHS = "!$&'()*+,;=:@~"
_UNKNOWN = Kind()
_PRIVATE = "domainNameId"
"""Tells private domain names of one name apart: it is in every address at and below such a domain."""


def document(model: Model, operation: Operation, match: Match, result: Any) -> bytes:
    """The answer to a request (`match`: its labels and parameters) that had this result, which is no payload."""
    return msgspec.json.encode(_Writer(model, operation, match).document(result))


class _Writer:
    """Makes one document, and notes the namespaces of its relations on the way.

    `known` is what may be named in addresses, ready to be in one.
    """

    def __init__(self, model: Model, operation: Operation, match: Match) -> None:
        self._model = model
        self._operation = operation
        self._known = {name: _quoted(value) for name, value in match.labels.items()}
        self._path = _LABEL.sub(lambda found: self._known[found[1]], operation.uri.partition("?")[0])
        members = model.shape(operation.input).members
        # A signature may be in the query as well.
        names = {member.location_name or key for key, member in members.items() if member.location == "querystring"}
        self._query = [(name, value) for name, values in match.params.items() if name in names for value in values]
        self._known.update((name, _quoted(value)) for name, value in self._query if name == _PRIVATE)
        self._namespaces: set[str] = set()
        self._members: dict[str, list[tuple[str, str, str]]] = {}

    def document(self, result: Any) -> Document:
        """The whole document, with where its relations are explained."""
        name = self._operation.output
        kind = KINDS.get(name, _UNKNOWN)
        found = self._thing(name, result, self._known)
        links = found["_links"]
        own = links.pop("self")
        if kind.many or not kind.path:
            own = {"href": _address(self._path, self._query)}
        if kind.named and name != "Method":
            del own["name"]  # recorded: a method alone tells its name twice, a response its title
        if self._operation.method == "GET":
            links |= self._pages(kind, result)
        found["_links"] = self._curies() | {"self": own} | dict(sorted(links.items()))
        return found

    def _curies(self) -> Document:
        curies = [
            {
                "href": f"{DOCUMENTATION}{CURIES.get(name, f'restapi-{name}')}-{{rel}}.html",
                "name": name,
                "templated": True,
            }
            for name in sorted(self._namespaces)
        ]
        return {"curies": _one_or_all(curies)} if curies else {}

    def _pages(self, kind: Kind, result: Any) -> Document:
        """Links to other pages of a list."""
        same = [pair for pair in self._query if pair[0] != "position"]
        links = {}
        if position := getattr(result, "position", None):
            links["next"] = {"href": _address(self._path, [("position", position), *same])}
        if kind.first or len(same) < len(self._query):
            links["first"] = {"href": _address(self._path, same)}
        return links

    def _thing(self, name: str, thing: Any, known: Mapping[str, str]) -> Document:
        """A thing with its links, its members, and the things in it."""
        kind = KINDS.get(name, _UNKNOWN)
        known = _with_own(kind, thing, known)
        path = _filled(kind.path, known)
        links: Document = {}
        for relation, address in kind.links.items():
            if relation not in kind.only or kind.only[relation](thing):
                links[relation] = _link(_filled(address, known).replace("~", path, 1), known)
        inner: Document = {}
        for attribute, relation, of in kind.within:
            if held := getattr(thing, attribute):
                found = self._each(of, held, known)
                links[relation] = _one_or_all([link for link, _ in found])
                if documents := [document for _, document in found if document]:
                    inner[relation] = _one_or_all(documents)
        self._namespaces.update(relation.partition(":")[0] for relation in links if ":" in relation)
        own = _own_link(kind, path, known)
        found_links = {"self": own} | dict(sorted(links.items()))
        embedded = {"_embedded": inner} if inner else {}
        return {"_links": found_links, **self._told(name, kind, thing), **embedded}

    def _told(self, name: str, kind: Kind, thing: Any) -> Document:
        """Its members, but what is embedded or a link."""
        if name not in self._members:
            skipped = {"position", *(attribute for attribute, _, _ in kind.within)}
            self._members[name] = sorted(
                (member.field or key, member.attribute, member.shape)
                for key, member in self._model.shape(name).members.items()
                if member.attribute not in skipped
            )
        return {
            key: self._member(shape, value)
            for key, attribute, shape in self._members[name]
            if (value := getattr(thing, attribute)) is not None
        }

    def _each(self, name: str, held: Any, known: Mapping[str, str]) -> list[tuple[Document, Document]]:
        """Links to the things in a list, a map or an attribute, and their documents; empty where only their names are told."""
        kind = KINDS[name]
        if isinstance(held, Mapping):
            return [self._named(name, kind, key, thing, known) for key, thing in held.items()]
        documents = [self._thing(name, thing, known) for thing in (held if isinstance(held, Sequence) else [held])]
        return [(document["_links"]["self"], document) for document in documents]

    def _named(
        self, name: str, kind: Kind, key: str, thing: Any, known: Mapping[str, str]
    ) -> tuple[Document, Document]:
        known = {**known, kind.names[0][0]: _quoted(key)}
        document = self._thing(name, thing, known) if thing != type(thing)() else {}
        return _own_link(kind, _filled(kind.path, known), known), document

    def _member(self, shape_name: str, value: Any) -> Any:
        """What a member of a structure holds."""
        written = self._value(shape_name, value)
        return _one_or_all(written) if isinstance(written, list) else written

    def _value(self, shape_name: str, value: Any) -> Any:
        if value is None or isinstance(value, str | bool):
            return value
        shape = self._model.shape(shape_name)
        if shape.type == "structure":
            return {
                member.field or key: self._member(member.shape, getattr(value, member.attribute))
                for key, member in shape.members.items()
            }
        if shape.member is not None:
            return [self._value(shape.member.shape, each) for each in value]
        if shape.value is not None:
            return {key: self._value(shape.value.shape, each) for key, each in value.items()}
        return timestamps.to_iso8601(int(value)) if shape.type == "timestamp" else value


def _with_own(kind: Kind, thing: Any, known: Mapping[str, str]) -> Mapping[str, str]:
    """What is known in a thing: what addresses name of it as well."""
    own = {
        name: _quoted(value, slashes=kind.slashes)
        for name, attribute in kind.names
        if (value := getattr(thing, attribute))
    }
    return {**known, **own}


def _filled(template: str, known: Mapping[str, str]) -> str:
    return _NAME.sub(lambda found: known[found[1]], template) if "[" in template else template


def _own_link(kind: Kind, path: str, known: Mapping[str, str]) -> Document:
    """The link to a thing."""
    link = _link(path + kind.suffix, known)
    if not kind.named:
        return link
    name = known[kind.names[0][0]]  # methods and statuses: the same in an address
    return link | {"name": name, "title": name}


def _link(href: str, known: Mapping[str, str]) -> Document:
    if private := known.get(_PRIVATE):
        given = f"{_PRIVATE}={private}"
        href = href.replace("{?", f"?{given}{{&") if "{?" in href else f"{href}?{given}"
    # What was filled in has no braces.
    return {"href": href, "templated": True} if "{" in href else {"href": href}


def _address(path: str, query: Sequence[tuple[str, str]]) -> str:
    return f"{path}?{urlencode(query, quote_via=quote)}" if query else path


def _quoted(part: str, *, slashes: bool = False) -> str:
    return part if part.isalnum() and part.isascii() else quote(part, _IN_PATHS + "/" if slashes else _IN_PATHS)


def _one_or_all(found: list[Any]) -> Any:
    return found[0] if len(found) == 1 else found
