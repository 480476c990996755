"""From a path to the resource that serves it: a static part beats `{param}`, which beats `{proxy+}`.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-method-settings-method-request.html
"""

from collections.abc import Mapping
from typing import Generic, TypeVar

M = TypeVar("M")

_DEEPEST = 512
"""Parts of a path: AWS's URLs have room for fewer."""


class _Node(Generic[M]):
    __slots__ = ("greedy", "greedy_name", "methods", "param", "param_name", "static")

    def __init__(self) -> None:
        self.static: dict[str, _Node[M]] = {}
        self.param: _Node[M] | None = None
        self.param_name = ""
        self.greedy: _Node[M] | None = None
        self.greedy_name = ""
        self.methods: Mapping[str, M] = {}


class Router(Generic[M]):
    """The tree of an API's resources, each with what serves its methods; `ANY` serves every other one."""

    def __init__(self) -> None:
        self._root: _Node[M] = _Node()

    def add(self, path: str, methods: Mapping[str, M]) -> None:
        """A resource, by its path (`/pets/{id}`)."""
        node = self._root
        for part in parts_of(path):
            if part.startswith("{") and part.endswith("+}"):
                node.greedy = node.greedy or _Node()
                node.greedy_name = part[1:-2]
                node = node.greedy
            elif part.startswith("{") and part.endswith("}"):
                node.param = node.param or _Node()
                node.param_name = part[1:-1]
                node = node.param
            else:
                node = node.static.setdefault(part, _Node())
        node.methods = methods

    def find(self, method: str, path: str) -> tuple[M, dict[str, str]] | None:
        """What serves the method at a path (as sent: percent-encoded), and the values of the path's parameters, undecoded.

        A resource without the method leaves the request to a less specific one.
        """
        parts = parts_of(path)
        if len(parts) > _DEEPEST:
            return None
        values: dict[str, str] = {}
        found = _find(self._root, parts, 0, method, values)
        return None if found is None else (found, values)


def parts_of(path: str) -> list[str]:
    """The parts of a path without slashes before and one after it; double slashes within make empty parts."""
    trimmed = path.lstrip("/").removesuffix("/")
    return trimmed.split("/") if trimmed else []


def _find(node: _Node[M], parts: list[str], at: int, method: str, values: dict[str, str]) -> M | None:
    if at == len(parts):
        return node.methods.get(method, node.methods.get("ANY"))
    part = parts[at]
    if (child := node.static.get(part)) is not None:
        found = _find(child, parts, at + 1, method, values)
        if found is not None:
            return found
    if node.param is not None and part:
        found = _find(node.param, parts, at + 1, method, values)
        if found is not None:
            values[node.param_name] = part
            return found
    if node.greedy is not None:
        found = node.greedy.methods.get(method, node.greedy.methods.get("ANY"))
        if found is not None:
            values[node.greedy_name] = "/".join(parts[at:])
            return found
    return None
