"""Trees written as expressions: statements run as the operations that they stand for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cumulet.services.dynamodb.expressions.trees import (
    Action,
    Both,
    Call,
    Comparison,
    Condition,
    Either,
    Not,
    Operand,
    Path,
    Value,
)


class Renderer:
    """Writes expressions that share placeholders. `names` is what they stand for, `values` those of values in use."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self.values: dict[str, None] = {}

    @property
    def names(self) -> dict[str, str]:
        """ExpressionAttributeNames."""
        return {placeholder: name for name, placeholder in self._names.items()}

    def path(self, path: Path) -> str:
        parts: list[str] = []
        for step in path.steps:
            if isinstance(step, int):
                parts.append(f"[{step}]")
            else:
                parts.append(("." if parts else "") + self._names.setdefault(step, f"#n{len(self._names)}"))
        return "".join(parts)

    def operand(self, operand: Operand) -> str:
        if isinstance(operand, Path):
            return self.path(operand)
        if isinstance(operand, Value):
            self.values[operand.name] = None
            return operand.name
        if operand.name in ("+", "-"):
            return f" {operand.name} ".join(map(self.operand, operand.arguments))
        return f"{operand.name}({', '.join(map(self.operand, operand.arguments))})"

    def condition(self, node: Condition) -> str:
        if isinstance(node, (Both, Either)):
            return (" AND " if isinstance(node, Both) else " OR ").join(map(self._part, node.conditions))
        if isinstance(node, Not):
            return f"NOT {self._part(node.condition)}"
        if isinstance(node, Call):
            return self.operand(node)
        first, *others = map(self.operand, node.operands)
        if node.operator == "BETWEEN":
            return f"{first} BETWEEN {others[0]} AND {others[1]}"
        if node.operator == "IN":
            return f"{first} IN ({', '.join(others)})"
        return f"{first} {node.operator} {others[0]}"

    def _part(self, node: Condition) -> str:
        text = self.condition(node)
        return f"({text})" if isinstance(node, (Both, Either)) else text

    def update(self, actions: Sequence[Action]) -> str:
        sections: dict[str, list[str]] = {}
        for action in actions:
            text = self.path(action.path)
            if action.operand is not None:
                text += (" = " if action.kind == "SET" else " ") + self.operand(action.operand)
            sections.setdefault(action.kind, []).append(text)
        return " ".join(f"{kind} {', '.join(texts)}" for kind, texts in sections.items())


def conditions_of(where: Condition | None) -> tuple[Condition, ...]:
    """The conditions that must all hold, one by one."""
    if where is None:
        return ()
    if isinstance(where, Both):
        return tuple(part for each in where.conditions for part in conditions_of(each))
    return (where,)


def heads(node: Condition | Operand) -> Iterator[str]:
    """The attributes that a condition reads."""
    if isinstance(node, Path):
        yield str(node.steps[0])
    elif isinstance(node, (Both, Either)):
        for part in node.conditions:
            yield from heads(part)
    elif isinstance(node, Not):
        yield from heads(node.condition)
    elif isinstance(node, (Comparison, Call)):
        for operand in node.operands if isinstance(node, Comparison) else node.arguments:
            yield from heads(operand)
