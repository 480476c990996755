"""Reading what both conditions and updates are made of: paths, placeholders of values, and functions of these."""

from cumulet.services.dynamodb.expressions.lexer import Words, is_name, is_value
from cumulet.services.dynamodb.expressions.reserved import reserved
from cumulet.services.dynamodb.expressions.trees import Call, Operand, Path, Step, Value

MOST_DEEP = 200
"""Functions within functions at most; AWS has no such limit, and nothing useful comes near it."""


OF_CONDITIONS = frozenset(
    {"attribute_exists", "attribute_not_exists", "attribute_type", "begins_with", "contains", "size"}
)
OF_UPDATES = frozenset({"if_not_exists", "list_append"})
MOST_LEVELS = 32
"""Names and indexes of a path at most."""


def out_of_place(function: str) -> str:
    """Why an expression has no function of that name."""
    if function in OF_UPDATES:
        return f"The function is not allowed in a condition expression; function: {function}"
    if function in OF_CONDITIONS:
        return f"The function is not allowed in an update expression; function: {function}"
    return f"Invalid function name; function: {function}"


class Reader:
    """Reads operands, and keeps what is wrong with their words until all of the text is known to be well formed.

    DynamoDB tells of misplaced words first, then of these: the first unknown function, the first misused one, the first
    reserved word, each only when there is none of the kinds before it.
    """

    __slots__ = ("functions", "keywords", "misused", "outermost", "redundant", "reserved", "unknown", "words")

    def __init__(
        self,
        words: Words,
        functions: frozenset[str] = frozenset(),
        keywords: frozenset[str] = frozenset(),
        outermost: frozenset[str] = frozenset(),
    ) -> None:
        """`outermost` are the functions that may not be operands of others."""
        self.words = words
        self.functions = functions
        self.keywords = keywords
        self.outermost = outermost
        self.redundant = False
        self.unknown = ""
        self.misused = ""
        self.reserved = ""

    def path(self) -> Path:
        """A name or placeholder and what follows it: `a.#b[1]`."""
        steps: list[Step] = [self._name()]
        self.steps(steps)
        if len(steps) > MOST_LEVELS:
            reason = "The document path has too many nesting levels"
            raise self.words.refuse(f"{reason}; nesting levels: {len(steps)}")
        return Path(tuple(steps))

    def steps(self, steps: list[Step]) -> None:
        """The `.b` and `[1]` that follow, added to `steps`."""
        words = self.words
        while True:
            if words.take("."):
                steps.append(self._name())
            elif words.take("["):
                steps.append(self._index())
                words.expect("]")
            else:
                return

    def _name(self) -> str:
        word = self.words.peek()
        if not is_name(word) or word.upper() in self.keywords:
            self.words.fail()
        if not self.reserved and reserved(word):
            self.reserved = word
        return self.words.next()

    def _index(self) -> int:
        word = self.words.peek()
        if not (word.isascii() and word.isdigit()):
            self.words.fail()
        index = self.words.next()
        if len(index) > 10 or int(index) > 0x7FFFFFFF:
            raise self.words.refuse(f"List index is not within the allowable range; index: [{index}]")
        return int(index)

    def value(self) -> Value:
        if not is_value(self.words.peek()):
            self.words.fail()
        return Value(self.words.next())

    def is_call(self) -> bool:
        """Whether a function begins here."""
        word = self.words.peek()
        return word[:1].isalpha() and word.upper() not in self.keywords and self.words.peek(1) == "("

    def call(self, depth: int = 0) -> Call:
        """A function and its arguments."""
        words = self.words
        name = words.next()
        words.expect("(")
        arguments = [self.argument(depth + 1)]
        while words.take(","):
            arguments.append(self.argument(depth + 1))
        words.expect(")")
        self.check_nesting(arguments)
        if name not in self.functions and not self.unknown:
            self.unknown = name
        return Call(name, tuple(arguments))

    def check_nesting(self, operands: list[Operand]) -> None:
        """Note the first operand that is a function which may not be one."""
        for operand in operands:
            if isinstance(operand, Call) and operand.name in self.outermost and not self.misused:
                self.misused = operand.name

    def argument(self, depth: int = 0) -> Operand:
        """An operand, which may be in one pair of parentheses."""
        if depth > MOST_DEEP:
            raise self.words.refuse("The expression is nested too deeply;")
        if not self.words.take("("):
            return self.operand(depth)
        if self.words.peek() == "(":
            self.redundant = True
        operand = self.argument(depth + 1)
        self.words.expect(")")
        return operand

    def operand(self, depth: int = 0) -> Operand:
        """A function, a placeholder of a value, or a path."""
        if self.is_call():
            return self.call(depth)
        if is_value(self.words.peek()):
            return self.value()
        return self.path()

    def check(self) -> None:
        """Raise the ValidationException about the words of a text that is well formed."""
        refuse = self.words.refuse
        if self.redundant:
            raise refuse("The expression has redundant parentheses;")
        if self.unknown:
            raise refuse(out_of_place(self.unknown))
        if self.misused:
            raise refuse(f"The function is not allowed to be used this way in an expression; function: {self.misused}")
        if self.reserved:
            raise refuse(f"Attribute name is a reserved keyword; reserved keyword: {self.reserved}")
