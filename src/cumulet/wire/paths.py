"""Matching an HTTP method and path to an operation: templates such as `/2015-03-31/functions/{FunctionName}/code`."""

from urllib.parse import unquote

from msgspec import Struct

from cumulet.api.model import Model

Params = dict[str, list[str]]


class Rule(Struct, frozen=True):
    """What else an address must have for an operation: literal parameters, and names that must be there."""

    operation: str
    labels: tuple[str, ...]
    literals: tuple[tuple[str, str], ...]
    names: frozenset[str]
    headers: frozenset[str]

    def fits(self, params: Params, headers: dict[str, str]) -> bool:
        """Whether a request has all of it."""
        for name, value in self.literals:
            held = params.get(name)
            if held is None or (value and held[0] != value):
                return False
        return self.names <= params.keys() and self.headers <= headers.keys()

    @property
    def weight(self) -> tuple[int, int]:
        """Rules with more demands go first; of two alike the longer name, which is the newer one (S3 has such pairs)."""
        return len(self.literals) * 4 + len(self.names) + len(self.headers), len(self.operation)


class _Step(Struct):
    below: dict[str, "_Step"] = {}
    label: "_Step | None" = None
    greedy: list[Rule] = []
    ends: list[Rule] = []


def rule(model: Model, name: str, *, demands: bool) -> tuple[str, Rule]:
    """The path of an operation's template, and the rule for the rest. `demands`: required members must be there too."""
    operation = model.operations[name]
    path, _, query = operation.uri.partition("?")
    literals = tuple(
        (key, value) for key, _, value in (part.partition("=") for part in query.split("&")) if key and key != "x-id"
    )
    shape = model.shape(operation.input)
    required = [
        (member.location, member.location_name or key) for key, member in shape.members.items() if key in shape.required
    ]
    names = frozenset(key for location, key in required if location == "querystring") if demands else frozenset()
    headers = frozenset(key.lower() for location, key in required if location == "header") if demands else frozenset()
    labels = tuple(part.strip("{}").rstrip("+") for part in path.split("/") if part.startswith("{"))
    return path, Rule(name, labels, literals, names, headers)


class PathTable:
    """All operations of a rest-json service by method and path."""

    def __init__(self, model: Model) -> None:
        self._methods: dict[str, _Step] = {}
        for name, operation in model.operations.items():
            path, found = rule(model, name, demands=False)
            step = self._methods.setdefault(operation.method, _Step())
            self._add(step, [part for part in path.split("/") if part], found)

    @staticmethod
    def _add(step: _Step, parts: list[str], found: Rule) -> None:
        ends = step.ends
        for part in parts:
            if part.endswith("+}"):
                ends = step.greedy
                break
            if part.startswith("{"):
                step.label = step.label or _Step()
                step = step.label
            else:
                step = step.below.setdefault(part, _Step())
            ends = step.ends
        ends.append(found)
        ends.sort(key=lambda rule: rule.weight, reverse=True)

    def match(self, method: str, path: str, params: Params) -> tuple[str, dict[str, str]] | None:
        """The operation and the labels of its path, decoded; None when nothing is there."""
        step = self._methods.get(method)
        if step is None:
            return None
        found = _walk(step, [part for part in path.split("/") if part], 0, [], params)
        if found is None:
            return None
        rule, values = found
        return rule.operation, {name: unquote(value) for name, value in zip(rule.labels, values, strict=True)}


def _walk(step: _Step, parts: list[str], at: int, values: list[str], params: Params) -> tuple[Rule, list[str]] | None:
    if at == len(parts):
        return next(((rule, values) for rule in step.ends if rule.fits(params, {})), None)
    below = step.below.get(parts[at])
    if below is not None:
        found = _walk(below, parts, at + 1, values, params)
        if found is not None:
            return found
    if step.label is not None:
        found = _walk(step.label, parts, at + 1, [*values, parts[at]], params)
        if found is not None:
            return found
    return next(((rule, [*values, "/".join(parts[at:])]) for rule in step.greedy if rule.fits(params, {})), None)
