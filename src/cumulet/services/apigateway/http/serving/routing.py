"""Which route of an API a request is for: the most specific one.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html
"""

from collections.abc import Sequence
from typing import Generic, TypeVar

R = TypeVar("R")

DEFAULT = "$default"


class _Node(Generic[R]):
    __slots__ = ("below", "greedy", "methods", "parameter")

    def __init__(self) -> None:
        self.below: dict[str, _Node[R]] = {}
        self.parameter: _Node[R] | None = None
        self.greedy: _Node[R] | None = None
        self.methods: dict[str, tuple[tuple[str, ...], R]] = {}


class Routes(Generic[R]):
    """Routes by key. Parts of a path that are spelled out win over parameters, those over greedy ones; a method over ANY."""

    def __init__(self) -> None:
        self._root: _Node[R] = _Node()
        self._default: R | None = None

    def add(self, key: str, route: R) -> None:
        """Add a route with a valid key."""
        if key == DEFAULT:
            self._default = route
            return
        method, _, path = key.partition(" ")
        node = self._root
        names = []
        for part in path[1:].split("/"):
            if part.endswith("+}"):
                names.append(part[1:-2])
                node.greedy = node.greedy or _Node()
                node = node.greedy
                break
            if part.startswith("{"):
                names.append(part[1:-1])
                node.parameter = node.parameter or _Node()
                node = node.parameter
            else:
                node = node.below.setdefault(part, _Node())
        node.methods[method] = (tuple(names), route)

    def find(self, method: str, parts: Sequence[str]) -> tuple[R, dict[str, str]] | None:
        """The route of a path, given as its decoded parts, with its parameters; None when there is none."""
        values: list[str] = []
        found = self._walk(self._root, method, parts, 0, values)
        if found is None:
            return (self._default, {}) if self._default is not None else None
        names, route = found
        return route, dict(zip(names, values, strict=True))

    def _walk(
        self, node: _Node[R], method: str, parts: Sequence[str], at: int, values: list[str]
    ) -> tuple[tuple[str, ...], R] | None:
        if at == len(parts):
            return node.methods.get(method) or node.methods.get("ANY")
        part = parts[at]
        step = node.below.get(part)
        if step is not None and (found := self._walk(step, method, parts, at + 1, values)) is not None:
            return found
        if node.parameter is not None and part:
            values.append(part)
            if (found := self._walk(node.parameter, method, parts, at + 1, values)) is not None:
                return found
            values.pop()
        if node.greedy is not None and (rest := "/".join(parts[at:])):
            held = node.greedy.methods
            if (found := held.get(method) or held.get("ANY")) is not None:
                values.append(rest)
                return found
        return None
