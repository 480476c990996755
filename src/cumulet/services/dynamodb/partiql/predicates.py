"""The conditions of statements, read to the same trees as those of expressions."""

from __future__ import annotations

from cumulet.api import dynamodb as api
from cumulet.services.dynamodb.errors import invalid
from cumulet.services.dynamodb.expressions.condition_syntax import CONDITIONS
from cumulet.services.dynamodb.expressions.trees import (
    Both,
    Call,
    Comparison,
    Condition,
    Either,
    Not,
    Operand,
    Path,
    Step,
    Value,
)
from cumulet.services.dynamodb.partiql.lexer import NAME, NUMBER, OPERATORS, QUOTED, SIGN, STRING, Words, malformed
from cumulet.services.dynamodb.partiql.literals import Constant, Literal, Literals

MOST_DEEP = 100
"""Conditions and functions within each other at most."""
_COMPARATORS = {"=": "=", "<>": "<>", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_VALUED = frozenset({"size", "list_append", "if_not_exists"})
KEYWORDS = frozenset({*OPERATORS, "NOT", "FROM", "WHERE", "SET", "REMOVE", "RETURNING", "ORDER"})
_TYPES = {"NULL": "NULL", "BOOL": "BOOL", "BOOLEAN": "BOOL", "STRING": "S"}
"""Types that IS tests for, and what they are called in DynamoDB."""
_OTHER_TYPES = frozenset({"STRUCT", "TUPLE", "LIST", "BAG", "INT", "INT4", "INT8", "INTEGER", "FLOAT", "DECIMAL"})


class Predicates:
    """Reads conditions, paths and operands. `literals` are what their placeholders `:0`, `:1`, ... stand for."""

    __slots__ = ("literals", "reader", "words")

    def __init__(self, words: Words) -> None:
        self.words = words
        self.reader = Literals(words)
        self.literals: list[Literal] = []

    def condition(self, depth: int = 0) -> Condition:
        """Conditions joined by AND and OR."""
        if depth > MOST_DEEP:
            raise invalid("The statement is nested too deeply.")
        either = [self._both(depth)]
        while self.words.take_keyword("OR"):
            self._check_right()
            either.append(self._both(depth))
        return either[0] if len(either) == 1 else Either(tuple(either))

    def _both(self, depth: int) -> Condition:
        both = [self._single(depth)]
        while self.words.take_keyword("AND"):
            self._check_right()
            both.append(self._single(depth))
        return both[0] if len(both) == 1 else Both(tuple(both))

    def _check_right(self) -> None:
        """Something has to follow an operator. Raises ValidationException."""
        if self.words.ends():
            raise malformed("Missing right-hand side expression of infix operator")

    def _single(self, depth: int) -> Condition:
        negated = False
        while self.words.take_keyword("NOT"):
            negated = not negated
        if self.words.take_sign("("):
            inner = self.condition(depth + 1)
            self.words.expect_sign(")")
        else:
            inner = self._comparison()
        return Not(inner) if negated else inner

    def _comparison(self) -> Condition:
        words = self.words
        first = self.operand()
        word = words.peek()
        if isinstance(first, Call) and first.name in CONDITIONS and self._is_truth():
            words.next()
            return first if words.next().text.upper() == "TRUE" else Not(first)
        if word.kind == SIGN and word.text in _COMPARATORS:
            words.next()
            self._check_right()
            return Comparison(_COMPARATORS[word.text], (first, self.operand()))
        if words.take_keyword("BETWEEN"):
            low = self.operand()
            words.expect_keyword("AND")
            return Comparison("BETWEEN", (first, low, self.operand()))
        if words.take_keyword("NOT", "IN"):
            return Not(self._in(first))
        if words.take_keyword("IN"):
            return self._in(first)
        if words.take_keyword("IS"):
            return self._is(first)
        if isinstance(first, Call) and first.name in CONDITIONS:
            return first
        raise words.unexpected("Expected a comparison")

    def _is_truth(self) -> bool:
        """Whether `= true` or `= false` follows."""
        word = self.words.peek(1)
        return self.words.is_sign("=") and word.kind == NAME and word.text.upper() in ("TRUE", "FALSE")

    def _in(self, first: Operand) -> Condition:
        end = "]" if self.words.take_sign("[") else ")"
        if end == ")":
            self.words.expect_sign("(")
        operands = [first, self.operand()]
        while self.words.take_sign(","):
            operands.append(self.operand())
        self.words.expect_sign(end)
        return Comparison("IN", tuple(operands))

    def _is(self, first: Operand) -> Condition:
        negated = self.words.take_keyword("NOT")
        if self.words.take_keyword("MISSING"):
            return Call("attribute_exists" if negated else "attribute_not_exists", (first,))
        word = self.words.peek()
        name = word.text.upper() if word.kind == NAME else ""
        if name not in _TYPES:
            raise invalid("Unsupported operation: IsType") if name in _OTHER_TYPES else malformed("Expected type name")
        self.words.next()
        wanted = self._placeholder(Constant(api.AttributeValue(s=_TYPES[name])))
        test = Call("attribute_type", (first, wanted))
        return Not(test) if negated else test

    def sum(self) -> Operand:
        """An operand, or two with + or - between."""
        first = self.operand()
        word = self.words.peek()
        if word.kind == SIGN and word.text in ("+", "-"):
            self.words.next()
            return Call(word.text, (first, self.operand()))
        return first

    def operand(self, depth: int = 0) -> Operand:
        """A value, a path, or a function of these."""
        words = self.words
        if depth > MOST_DEEP:
            raise invalid("The statement is nested too deeply.")
        if self.reader.begins():
            return self._placeholder(self.reader.read())
        following = words.peek(1)
        if words.peek().kind == NAME and following.kind == SIGN and following.text == "(":
            return self._call(depth)
        return self.path()

    def _call(self, depth: int) -> Call:
        word = self.words.next()
        name = word.text.lower()
        if name not in CONDITIONS and name not in _VALUED:
            raise invalid(f"Unrecognized function: {name} at {self.words.place(word)}")
        self.words.expect_sign("(")
        if self.words.take_sign(")"):
            return Call(name, ())
        arguments = [self.operand(depth + 1)]
        while self.words.take_sign(","):
            arguments.append(self.operand(depth + 1))
        self.words.expect_sign(")")
        return Call(name, tuple(arguments))

    def literal(self, value: Value) -> Literal:
        """What a placeholder stands for."""
        return self.literals[int(value.name[1:])]

    def _placeholder(self, literal: Literal) -> Value:
        self.literals.append(literal)
        return Value(f":{len(self.literals) - 1}")

    def path(self) -> Path:
        """A name and what follows it: `a."b"[1]`, also `a['b']`."""
        words = self.words
        word = words.peek()
        if word.kind not in (NAME, QUOTED) or (word.kind == NAME and word.text.upper() in KEYWORDS):
            raise words.no_term()
        steps: list[Step] = [words.next().text]
        while True:
            if words.take_sign("."):
                if words.peek().kind not in (NAME, QUOTED):
                    raise words.unexpected("Expected a name")
                steps.append(words.next().text)
            elif words.take_sign("["):
                steps.append(self._index())
                words.expect_sign("]")
            elif "" in steps:
                raise invalid("Path component cannot be an empty string")
            else:
                return Path(tuple(steps))

    def _index(self) -> Step:
        word = self.words.next()
        if word.kind == STRING:
            return word.text
        if word.kind == NUMBER and word.text.isdigit() and len(word.text) <= 9:
            return int(word.text)
        sign = word.text + self.words.next().text if word.text == "-" else word.text
        raise invalid(f"List index is not within the allowable range; index: [{sign}]")
