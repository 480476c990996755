"""The grammar of templates, as Velocity 1.7 reads them: text with references and directives in it.

https://velocity.apache.org/engine/1.7/vtl-reference.html. White space: a directive takes the rest of its line with it when nothing
else is there; `#set` also what is in front of it, if that follows another directive or begins the template; nothing else does.
"""

import re

from cumulet.expressions.velocity.parse_expressions import argument, expression, reference
from cumulet.expressions.velocity.scanner import Scanner
from cumulet.expressions.velocity.tree import (
    Block,
    Break,
    Call,
    Define,
    Evaluate,
    Expression,
    Foreach,
    If,
    Macro,
    Node,
    Reference,
    Set,
    VelocityError,
)

LONGEST = 300 * 1024
"""Characters in a template; API Gateway's limit."""
_DEEPEST = 60

_SPECIAL = re.compile(r"[$#\\]")
_BACKSLASHES = re.compile(r"\\+")
_WORD = re.compile(r"@?[A-Za-z_][A-Za-z0-9_@]*|\{@?[A-Za-z_][A-Za-z0-9_@]*\}")
_SET = re.compile(r" *\(")
_SLASHED = re.compile(r"\$(\\+)(!\{?[A-Za-z_])")
_LINE_END = re.compile(r"[ \t]*(?:\r\n|\n|\r)")
_BLANKS = re.compile(r"[ \t]*")
_COMMENT = re.compile(r"[^\r\n]*(?:\r\n|\n|\r)?")
_ENDS = frozenset({"end", "else", "elseif"})
_BLOCKS = frozenset({"if", "foreach", "macro", "define", "literal"})
_LINES = frozenset({"set", "break", "stop", "evaluate", "parse", "include"})
DIRECTIVES = _ENDS | _BLOCKS | _LINES


class Parser:
    """Reads one template; `macros` are those it declares."""

    def __init__(self, text: str, depth: int = 0) -> None:
        if len(text) > LONGEST:
            raise VelocityError(f"a template has at most {LONGEST} characters")
        self.scanner = Scanner(text, self._template)
        self.depth = depth
        self.macros: set[str] = set()
        self.ended = ""

    def _template(self, text: str) -> Block:
        """The parts of a text in double quotes."""
        return Parser(text, self._deeper()).parse()

    def _deeper(self) -> int:
        if self.depth >= _DEEPEST:
            raise self.scanner.fail("the template is nested too deeply")
        return self.depth + 1

    def parse(self) -> Block:
        """All of it; raises VelocityError."""
        block = self._block(frozenset())
        scanner = self.scanner
        if scanner.at < len(scanner.text):
            raise scanner.fail(f"#{self.ended} without anything it could end")
        return block

    def _block(self, ends: frozenset[str]) -> Block:
        """Up to one of these directives, which `ended` then names; the scanner is behind its word."""
        scanner, parts = self.scanner, list[Node]()
        self.depth = self._deeper()
        text, start = scanner.text, scanner.at
        while True:
            found = _SPECIAL.search(text, scanner.at)
            scanner.at = found.start() if found else len(text)
            if found is None:
                break
            before = scanner.at
            node = self._special()
            if node is None:
                continue
            if isinstance(node, str) and node in _ENDS and scanner.ending:
                scanner.ending = False
                self._add(parts, text[start:before])
                start = scanner.at
                if node in ends:
                    self.ended = node
                    self.depth -= 1
                    return _joined(parts)
                scanner.at = before
                raise scanner.fail(f"#{node} without anything it could end")
            prefix = text[start:before]
            self._add(parts, "" if isinstance(node, Set) and not prefix.strip(" \t") else prefix)
            self._add(parts, node)
            start = scanner.at
        if ends:
            raise scanner.fail("#end is missing")
        self._add(parts, text[start:])
        self.depth -= 1
        return _joined(parts)

    @staticmethod
    def _add(parts: list[Node], node: Node) -> None:
        if node != "":
            parts.append(node)

    def _special(self) -> Node | None:
        """What begins with this sign, or None when it is text; then the scanner is behind it."""
        scanner = self.scanner
        slashes = _BACKSLASHES.match(scanner.text, scanner.at)
        escapes = len(slashes.group()) if slashes else 0
        at = scanner.at + escapes
        sign = scanner.text[at : at + 1]
        if sign == "$":
            return self._dollar(at, escapes)
        if sign != "#":
            scanner.at = at
            return None
        if escapes:
            return self._escaped(escapes, at)
        return self._hash()

    def _dollar(self, at: int, escapes: int) -> Node | None:
        scanner = self.scanner
        slashed = _SLASHED.match(scanner.text, at)
        if slashed:
            scanner.at = slashed.end()
            return "\\" * escapes + "$" + slashed.group(1)[1:] + slashed.group(2)
        scanner.at = at
        node = reference(scanner, escapes)
        if node is None:
            scanner.at = at + 1
        return node

    def _escaped(self, escapes: int, at: int) -> str | None:
        """Backslashes in front of a directive: two are one, and one keeps it from being a directive."""
        scanner = self.scanner
        word = _WORD.match(scanner.text, at + 1)
        if word is None:
            scanner.at = at
            return None
        known = word.group().strip("{}") in DIRECTIVES | self.macros
        if escapes % 2:
            scanner.at = word.end()
            return "\\" * (escapes // 2) + "#" + word.group() if known else None
        scanner.at = at
        return "\\" * (escapes // 2) if known else None

    def _hash(self) -> Node | None:
        scanner = self.scanner
        text, at = scanner.text, scanner.at
        if text.startswith("##", at):
            end = _COMMENT.match(text, at)
            assert end is not None
            scanner.at = end.end()
            return ""
        if text.startswith("#*", at):
            end_at = text.find("*#", at + 2)
            scanner.at = len(text) if end_at < 0 else end_at + 2
            return ""
        if text.startswith("#[[", at):
            end_at = text.find("]]#", at + 3)
            if end_at < 0:
                raise scanner.fail("#[[ without ]]#")
            scanner.at = end_at + 3
            return text[at + 3 : end_at]
        word = _WORD.match(text, at + 1)
        if word is None:
            scanner.at = at + 1
            return None
        scanner.at = word.end()
        return self._directive(word.group().strip("{}"), at)

    def _directive(self, name: str, start: int) -> Node | None:
        if name in _ENDS:
            self.scanner.ending = True
            if name != "elseif":
                self._line_end()
            return name
        if name == "set" and not _SET.match(self.scanner.text, self.scanner.at):
            return None
        method = getattr(self, f"_{name}", None) if name in _BLOCKS | _LINES else None
        if method is not None:
            node: Node = method(start)
            return node
        return self._call(name, start)

    def _line_end(self) -> None:
        found = _LINE_END.match(self.scanner.text, self.scanner.at)
        if found:
            self.scanner.at = found.end()

    def _open(self, name: str) -> None:
        """The bracket that a directive needs."""
        self.scanner.blanks()
        if not self.scanner.take("("):
            raise self.scanner.fail(f"expected '(' after #{name}")

    def _close(self, name: str) -> None:
        self.scanner.blanks()
        if not self.scanner.take(")"):
            raise self.scanner.fail(f"expected ')' to end #{name}")
        self._line_end()

    def _set(self, _: int) -> Node:
        self._open("set")
        target = self._reference("set")
        self.scanner.blanks()
        if not self.scanner.take("="):
            raise self.scanner.fail("expected '=' in #set")
        value = expression(self.scanner)
        self._close("set")
        return Set(target, value)

    def _reference(self, name: str) -> Reference:
        self.scanner.blanks()
        found = reference(self.scanner, 0)
        if found is None:
            raise self.scanner.fail(f"expected a reference in #{name}")
        return found

    def _if(self, _: int) -> Node:
        branches: list[tuple[Expression, Block]] = []
        otherwise: Block = ()
        self.ended = "elseif"
        while self.ended == "elseif":
            self._open("if")
            condition = expression(self.scanner)
            self._close("if")
            branches.append((condition, self._block(_ENDS)))
        if self.ended == "else":
            otherwise = self._block(frozenset({"end"}))
        return If(tuple(branches), otherwise)

    def _foreach(self, _: int) -> Node:
        self._open("foreach")
        item = self._reference("foreach")
        self.scanner.blanks()
        if not self.scanner.take("in"):
            raise self.scanner.fail("expected 'in' in #foreach")
        items = expression(self.scanner)
        self._close("foreach")
        return Foreach(item.name, items, self._block(frozenset({"end"})))

    def _define(self, _: int) -> Node:
        self._open("define")
        name = self._reference("define").name
        self._rest("define")
        return Define(name, self._block(frozenset({"end"})))

    def _rest(self, name: str) -> tuple[Expression, ...]:
        """What else is in the brackets of a directive, apart by blanks or commas."""
        arguments: list[Expression] = []
        scanner = self.scanner
        while True:
            scanner.blanks()
            if scanner.take(","):
                scanner.blanks()
            if scanner.here == ")":
                break
            arguments.append(argument(scanner))
        self._close(name)
        return tuple(arguments)

    def _macro(self, _: int) -> Node:
        self._open("macro")
        self.scanner.blanks()
        word = _WORD.match(self.scanner.text, self.scanner.at)
        if word is None:
            raise self.scanner.fail("#macro needs a name")
        self.scanner.at = word.end()
        parameters = []
        for parameter in self._rest("macro"):
            if not isinstance(parameter, Reference) or parameter.steps:
                raise self.scanner.fail("the parameters of a #macro are plain references")
            parameters.append(parameter.name)
        self.macros.add(word.group())
        return Macro(word.group(), tuple(parameters), self._block(frozenset({"end"})))

    def _literal(self, _: int) -> Node:
        self._open("literal")
        self._rest("literal")
        start = self.scanner.at
        self._block(frozenset({"end"}))
        inner = self.scanner.text[start : self.scanner.at]
        return inner[: inner.rindex("#")]

    def _break(self, _: int) -> Node:
        self._optional("break")
        return Break(False)

    def _stop(self, _: int) -> Node:
        self._optional("stop")
        return Break(True)

    def _optional(self, name: str) -> None:
        """Brackets that may follow; without them the rest of the line stays."""
        at = self.scanner.at
        self.scanner.blanks()
        if self.scanner.take("("):
            self._rest(name)
        else:
            self.scanner.at = at

    def _evaluate(self, _: int) -> Node:
        self._open("evaluate")
        value = expression(self.scanner)
        self._close("evaluate")
        return Evaluate(value)

    def _parse(self, start: int) -> Node:
        self.scanner.at = start
        raise self.scanner.fail("#parse needs other templates, and there are none")

    def _include(self, start: int) -> Node:
        self.scanner.at = start
        raise self.scanner.fail("#include needs files, and there are none")

    def _call(self, name: str, start: int) -> Node | None:
        """`#name(...)`, which is text unless there is such a macro when it is rendered."""
        scanner = self.scanner
        word_end = scanner.at
        line, _ = scanner.place(start)
        spaces = _BLANKS.match(scanner.text, word_end)
        assert spaces is not None
        scanner.at = spaces.end()
        if not scanner.take("("):
            scanner.at = word_end
            return None
        try:
            arguments = self._rest(name)
        except VelocityError:
            if name in self.macros or name.startswith("@"):
                raise
            scanner.at = word_end
            return None
        text = scanner.text[start : scanner.at]
        block = self._block(frozenset({"end"})) if name.startswith("@") else None
        return Call(name.lstrip("@"), arguments, text, block, line)


def _joined(parts: list[Node]) -> Block:
    """The parts, with texts that follow each other made one."""
    found: list[Node] = []
    texts: list[str] = []
    for part in parts:
        if isinstance(part, str):
            texts.append(part)
            continue
        if texts:
            found.append("".join(texts))
            texts = []
        found.append(part)
    if texts:
        found.append("".join(texts))
    return tuple(found)
