"""The grammar of ConditionExpression, FilterExpression and KeyConditionExpression.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from cumulet.services.dynamodb.expressions.keeping import KEPT
from cumulet.services.dynamodb.expressions.lexer import END, read
from cumulet.services.dynamodb.expressions.operands import Reader
from cumulet.services.dynamodb.expressions.trees import (
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

KEYWORDS = frozenset({"AND", "OR", "NOT", "BETWEEN", "IN"})
CONDITIONS = frozenset({"attribute_exists", "attribute_not_exists", "attribute_type", "begins_with", "contains"})
"""The functions that hold or do not; `size` is the one that gives a value."""
FUNCTIONS = CONDITIONS | {"size"}
COMPARATORS = frozenset({"=", "<>", "<", "<=", ">", ">="})
MOST_OPERATORS = 300
MOST_DEEP = MOST_OPERATORS + 10
"""Parentheses within parentheses at most; the operators that could need more are not allowed either."""


@lru_cache(KEPT)
def parse_condition(text: str, parameter: str = "ConditionExpression") -> Condition:
    """The tree of a condition; `parameter` is what the request calls it. Raises ValidationException."""
    reader = Reader(read(text, parameter), FUNCTIONS, KEYWORDS, CONDITIONS)
    tree = _Conditions(reader).whole()
    reader.check()
    return tree


class _Part(NamedTuple):
    """What stands between parentheses: a condition, or an operand alone. `grouped`: it is itself in parentheses."""

    node: Condition | Operand
    grouped: bool


class _Conditions:
    __slots__ = ("operators", "reader", "words")

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.words = reader.words
        self.operators = 0

    def whole(self) -> Condition:
        node = self.expression(0).node
        if isinstance(node, (Path, Value)) or self.words.peek() != END:
            self.words.fail()
        self._no_size(node)
        return node

    def expression(self, depth: int) -> _Part:
        """Conditions joined by AND and OR, up to what ends them; or an operand alone."""
        either: list[Condition] = []
        both: list[Condition] = []
        joined = False
        while True:
            negations = 0
            while self._keyword("NOT"):
                negations += 1
            node, grouped = self.primary(depth)
            if isinstance(node, (Path, Value)):
                if joined or negations or self.words.peek() != ")":
                    self.words.fail()
                return _Part(node, grouped)
            if self._joins() or joined or negations:
                self._no_size(node)
            both.append(Not(node) if negations % 2 else node)
            if self._keyword("AND"):
                joined = True
                continue
            either.append(both[0] if len(both) == 1 else Both(tuple(both)))
            both = []
            if not self._keyword("OR"):
                whole = either[0] if len(either) == 1 else Either(tuple(either))
                return _Part(whole, grouped and not joined and not negations)
            joined = True

    def primary(self, depth: int) -> _Part:
        """A condition without AND, OR and NOT, something in parentheses, or an operand alone."""
        if not self.words.take("("):
            return _Part(self._compared(self.reader.operand()), False)
        if depth > MOST_DEEP:
            raise self.words.refuse("The expression is nested too deeply;")
        node, grouped = self.expression(depth + 1)
        self.words.expect(")")
        if grouped:
            self.reader.redundant = True
        if isinstance(node, Path) and self.words.peek() in (".", "["):
            steps = list(node.steps)
            self.reader.steps(steps)
            return _Part(self._compared(Path(tuple(steps))), False)
        if isinstance(node, (Path, Value, Call)):
            compared = self._compared(node)
            return _Part(compared, compared is node)
        return _Part(node, True)

    def _compared(self, first: Operand) -> Condition | Operand:
        """The comparison that an operand begins, or the operand if none follows."""
        words, reader = self.words, self.reader
        word = words.peek()
        if word in COMPARATORS:
            self._count()
            words.next()
            operands = [first, reader.argument()]
        elif self._keyword("BETWEEN"):
            word = "BETWEEN"
            operands = [first, reader.argument()]
            if words.next().upper() != "AND":
                words.at -= 1
                words.fail()
            operands.append(reader.argument())
        elif self._keyword("IN"):
            word = "IN"
            words.expect("(")
            operands = [first, reader.argument()]
            while words.take(","):
                operands.append(reader.argument())
            words.expect(")")
        else:
            return first
        reader.check_nesting(operands)
        return Comparison(word, tuple(operands))

    def _keyword(self, keyword: str) -> bool:
        """Whether the keyword is next; if so it is read and counted."""
        if self.words.peek().upper() != keyword:
            return False
        self._count()
        self.words.next()
        return True

    def _joins(self) -> bool:
        return self.words.peek().upper() in ("AND", "OR")

    def _count(self) -> None:
        self.operators += 1
        if self.operators > MOST_OPERATORS:
            raise self.words.refuse(f"The expression contains too many operators; operator count: {self.operators}")

    def _no_size(self, node: Condition | Operand) -> None:
        if isinstance(node, Call) and node.name == "size" and not self.reader.misused:
            self.reader.misused = "size"
