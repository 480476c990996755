"""The grammar of DynamoDB's PartiQL.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-reference.html
"""

from __future__ import annotations

from functools import lru_cache

from cumulet.services.dynamodb.errors import invalid
from cumulet.services.dynamodb.expressions.keeping import KEPT
from cumulet.services.dynamodb.expressions.trees import Action, Operand, Path, Value
from cumulet.services.dynamodb.partiql.lexer import NAME, QUOTED, Words, malformed
from cumulet.services.dynamodb.partiql.literals import Constant, ListOf, Literal, MapOf
from cumulet.services.dynamodb.partiql.predicates import KEYWORDS, Predicates
from cumulet.services.dynamodb.partiql.statements import Delete, Exists, Insert, Select, Statement, Update

_RETURNING = {
    ("ALL", "OLD"): "ALL_OLD",
    ("ALL", "NEW"): "ALL_NEW",
    ("MODIFIED", "OLD"): "UPDATED_OLD",
    ("MODIFIED", "NEW"): "UPDATED_NEW",
}
_CLAUSES = frozenset(
    {*KEYWORDS, "GROUP", "HAVING", "LIMIT", "OFFSET", "JOIN", "INNER", "LEFT", "RIGHT", "CROSS", "UNION"}
)
"""Words after a table that are no other name for it."""
_SET_FUNCTIONS = {"set_add": "ADD", "set_delete": "DELETE"}


@lru_cache(KEPT)
def parse(text: str) -> Statement:
    """A statement's tree. Raises ValidationException."""
    return _Parser(text).statement()


def _check_order(body: Select | Insert | Update | Delete | Exists) -> None:
    """Raises ValidationException for an order without a condition."""
    select = body.select if isinstance(body, Exists) else body
    if isinstance(select, Select) and select.order and select.where is None:
        raise invalid("Must have WHERE clause in the statement when using ORDER BY clause.")


class _Parser:
    __slots__ = ("predicates", "words")

    def __init__(self, text: str) -> None:
        self.words = Words(text)
        self.predicates = Predicates(self.words)

    def statement(self) -> Statement:
        words = self.words
        body: Select | Insert | Update | Delete | Exists
        if words.take_keyword("SELECT"):
            body = self._select()
        elif words.take_keyword("INSERT"):
            body = self._insert()
        elif words.take_keyword("UPDATE"):
            body = self._update()
        elif words.take_keyword("DELETE"):
            body = self._delete()
        elif words.take_keyword("FROM"):
            body = self._update_from()
        elif words.take_keyword("EXISTS"):
            body = self._exists()
        else:
            raise malformed("Expected data manipulation")
        words.take_sign(";")
        if not words.ends():
            raise malformed("Unexpected token after expression")
        _check_order(body)
        return Statement(body, tuple(self.predicates.literals), self.predicates.reader.parameters)

    def _exists(self) -> Exists:
        self.words.expect_sign("(")
        self.words.expect_keyword("SELECT")
        select = self._select()
        self.words.expect_sign(")")
        return Exists(select)

    def _select(self) -> Select:
        words = self.words
        paths: list[Path] = []
        if not words.take_sign("*"):
            paths.append(self._projected())
            while words.take_sign(","):
                paths.append(self._projected())
        words.expect_keyword("FROM")
        if not self._names():
            raise words.no_term()
        table, index = self._source()
        self._check_alias()
        where = self.predicates.condition() if words.take_keyword("WHERE") else None
        order: list[tuple[str, bool]] = []
        if words.take_keyword("ORDER", "BY"):
            order.append(self._ordering())
            while words.take_sign(","):
                order.append(self._ordering())
        return Select(table, index, tuple(paths), where, tuple(order))

    def _projected(self) -> Path:
        word, following = self.words.peek(), self.words.peek(1)
        if word.kind == NAME and following.text == "(":
            raise invalid(f"Unexpected path component at {self.words.place(word)}")
        return self.predicates.path()

    def _names(self) -> bool:
        """Whether a name stands here that is no keyword."""
        word = self.words.peek()
        return word.kind == QUOTED or (word.kind == NAME and word.text.upper() not in KEYWORDS)

    def _check_alias(self) -> None:
        """Raises ValidationException for a name after that of a table."""
        word = self.words.peek()
        if word.kind == QUOTED or (word.kind == NAME and word.text.upper() not in _CLAUSES):
            raise invalid("Aliasing is not supported")

    def _ordering(self) -> tuple[str, bool]:
        name = self._name("an attribute")
        if self.words.take_keyword("DESC"):
            return name, True
        self.words.take_keyword("ASC")
        return name, False

    def _source(self) -> tuple[str, str]:
        """A table, or an index of it."""
        if not self._names():
            raise malformed("Expected identifier for simple path")
        parts = [self.words.next().text]
        while self.words.take_sign("."):
            parts.append(self._name("an index"))
        if "" in parts:
            raise invalid("Path component cannot be an empty string")
        if len(parts) > 2:
            raise invalid("A path may contain at most 2 components in the FROM clause")
        if parts[0].startswith("arn:"):  # statements name tables, of which permissions are looked up, by name
            raise invalid("Invalid table name: a statement takes a table's name, not its ARN")
        return parts[0], parts[1] if len(parts) == 2 else ""

    def _table(self) -> str:
        table, index = self._source()
        if index:
            raise invalid("Writes are not supported on indices")
        return table

    def _name(self, what: str) -> str:
        word = self.words.peek()
        if word.kind not in (NAME, QUOTED):
            raise self.words.unexpected(f"Expected {what}")
        return self.words.next().text

    def _insert(self) -> Insert:
        self.words.expect_keyword("INTO")
        table = self._table()
        if self._names() and not self.words.is_keyword("VALUE") and not self.words.is_keyword("VALUES"):
            raise malformed("Unexpected token after expression")
        if not self.words.take_keyword("VALUES"):
            self.words.expect_keyword("VALUE")
        item: Literal = self.predicates.reader.item()
        if self.words.is_keyword("RETURNING"):
            raise invalid("RETURNING clause is not supported in INSERT statements.")
        return Insert(table, item)

    def _update(self) -> Update:
        table = self._table()
        self._check_alias()
        actions = self._actions()
        where = self.predicates.condition() if self.words.take_keyword("WHERE") else None
        return Update(table, actions, where, self._returning())

    def _update_from(self) -> Update:
        """An update that says first where: `FROM table WHERE ... SET ...`."""
        table = self._table()
        self._check_alias()
        where = self.predicates.condition() if self.words.take_keyword("WHERE") else None
        return Update(table, self._actions(), where, self._returning())

    def _actions(self) -> tuple[Action, ...]:
        words = self.words
        actions: list[Action] = []
        while True:
            if words.take_keyword("SET"):
                actions.append(self._set())
                while words.take_sign(","):
                    actions.append(self._set())
            elif words.take_keyword("REMOVE"):
                actions.append(Action("REMOVE", self.predicates.path()))
                while words.take_sign(","):
                    actions.append(Action("REMOVE", self.predicates.path()))
            else:
                break
        if not actions:
            raise words.unexpected("Expected SET or REMOVE")
        return tuple(actions)

    def _set(self) -> Action:
        words = self.words
        path = self.predicates.path()
        words.expect_sign("=")
        word = words.peek()
        if word.kind == NAME and word.text.lower() in _SET_FUNCTIONS and words.peek(1).text == "(":
            return self._set_function(path)
        return Action("SET", path, self.predicates.sum())

    def _set_function(self, path: Path) -> Action:
        """`a = set_add(a, <<...>>)` and set_delete: what ADD and DELETE do."""
        words = self.words
        function = words.next()
        name = function.text
        words.expect_sign("(")
        first = words.peek()
        arguments: list[Operand] = []
        while not words.take_sign(")"):
            if arguments:
                words.expect_sign(",")
            arguments.append(self.predicates.operand())
        if len(arguments) != 2:
            raise invalid(f"{name.upper()} must have exactly two arguments at {words.place(function)}")
        of, value = arguments
        if of != path:
            raise invalid(
                f"The first argument to {name.upper()} must equal the assignment value at {words.place(function)}"
            )
        if not isinstance(value, Value) or isinstance(self.predicates.literal(value), (Constant, ListOf, MapOf)):
            raise invalid(
                f"The second argument to {name.upper()} must be a value with type SET at {words.place(first)}"
            )
        return Action(_SET_FUNCTIONS[name.lower()], path, value)

    def _delete(self) -> Delete:
        self.words.expect_keyword("FROM")
        table = self._table()
        self._check_alias()
        where = self.predicates.condition() if self.words.take_keyword("WHERE") else None
        returning = self._returning()
        if returning not in ("", "ALL_OLD"):
            shown = next(" ".join(key) for key, value in _RETURNING.items() if value == returning)
            raise invalid(
                f"Invalid returning clause: RETURNING {shown} *. "
                "Only RETURNING ALL OLD * is allowed in DELETE statements."
            )
        return Delete(table, where, returning)

    def _returning(self) -> str:
        words = self.words
        if not words.take_keyword("RETURNING"):
            return ""
        found = _RETURNING.get((words.peek().text.upper(), words.peek(1).text.upper()))
        if found is None:
            raise words.unexpected("Expected ALL or MODIFIED, and OLD or NEW")
        words.at += 2
        words.expect_sign("*")
        return found
