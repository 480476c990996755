"""Templates as closures: each part prints to a run, each expression gives a value of it."""

from collections.abc import Callable, Iterable
from typing import Any

from cumulet.expressions.velocity import strings
from cumulet.expressions.velocity.methods import call, index, property_of
from cumulet.expressions.velocity.run import (
    Argument,
    CompiledMacro,
    Defined,
    LeaveLoop,
    Loop,
    Printer,
    Run,
    Stop,
    Value,
)
from cumulet.expressions.velocity.tree import (
    Block,
    Break,
    Call,
    Define,
    Evaluate,
    Expression,
    Foreach,
    If,
    Index,
    Interpolated,
    Listed,
    Literal,
    Macro,
    Mapped,
    Method,
    Node,
    Not,
    Operation,
    Property,
    Range,
    Reference,
    Set,
    VelocityError,
)
from cumulet.expressions.velocity.values import (
    Host,
    NoSuchMethod,
    bounded,
    calculate,
    equal,
    is_number,
    ordered,
    to_text,
    weight,
)

_LONGEST_RANGE = 100_000
_A_STEP = 64
"""Characters or elements gone over for the price of one part."""


def compile_block(block: Block) -> Printer:
    """The closure of a block's parts."""
    printers = [_printer(node) for node in block]
    if len(printers) == 1:
        return printers[0]

    def printer(run: Run) -> None:
        for each in printers:
            each(run)

    return printer


def macros_of(block: Block) -> dict[str, CompiledMacro]:
    """All macros that a template declares, wherever that is: they can be called before. The first of a name counts."""
    found: dict[str, CompiledMacro] = {}
    for node in block:
        match node:
            case Macro():
                found.setdefault(node.name, CompiledMacro(node.parameters, compile_block(node.block)))
                found = macros_of(node.block) | found
            case If():
                for _, inner in node.branches:
                    found = macros_of(inner) | found
                found = macros_of(node.otherwise) | found
            case Foreach() | Define():
                found = macros_of(node.block) | found
    return found


def _printer(node: Node) -> Printer:
    if isinstance(node, str):
        return lambda run: run.print(node)
    match node:
        case Reference():
            return _reference_printer(node)
        case Set():
            return _set(node)
        case If():
            return _if(node)
        case Foreach():
            return _foreach(node)
        case Define():
            return _define(node)
        case Macro():
            return lambda run: run.step()
        case Call():
            return _call(node)
        case Evaluate():
            return _evaluate(node)
    return _break(node)


def _break(node: Break) -> Printer:
    def printer(_: Run) -> None:
        raise Stop if node.everything else LeaveLoop

    return printer


def _reference_printer(node: Reference) -> Printer:
    """A reference without value is printed as it was written, or as nothing where it is quiet or the run is blank."""
    value = reference_value(node)
    slashes = "\\" * (node.escapes // 2)

    def printer(run: Run) -> None:
        found = value(run)
        if node.escapes:
            if node.escapes % 2:
                defined = found is not None or run.blank
                run.print(slashes + ("" if defined else "\\") + node.text)
                return
            run.print(slashes if found is not None or run.blank else slashes * 2)
        if found is not None:
            run.spend(weight(found, run.left + 1))
            run.print(to_text(found))
        elif not node.quiet and not run.blank:
            run.print(_literal(node, run))

    return printer


def _literal(node: Reference, run: Run) -> str:
    """How a reference was written: of a macro's argument, how the argument was."""
    if node.name in run.scope and not node.steps:
        argument = run.scope[node.name]
        if isinstance(argument, Argument) and isinstance(argument.node, Reference):
            return argument.node.text
    return node.text


def reference_value(node: Reference) -> Value:
    """The closure of a reference's value; None when it has none."""
    name = node.name
    steps = [_step(step, node) for step in node.steps]
    if not steps:

        def plain(run: Run) -> Any:
            run.step()
            return run.look_up(name)

        return plain

    def value(run: Run) -> Any:
        run.step()
        found = run.look_up(name)
        for step in steps:
            if found is None:
                return None
            found = step(found, run)
        return found

    return value


def _step(step: Property | Method | Index, node: Reference) -> Callable[[Any, Run], Any]:
    match step:
        case Property(name=name):
            return lambda value, _: property_of(value, name)
        case Index(key=key):
            at = compile_value(key)
            return lambda value, run: _located(node, index, value, at(run))
        case Method(name=name, arguments=arguments):
            values = [compile_value(argument) for argument in arguments]
            return lambda value, run: _located(node, _called, run, value, name, [each(run) for each in values])
    raise AssertionError(step)


_THOROUGH = frozenset(
    {"toString", "equals", "hashCode", "contains", "containsAll", "containsValue", "indexOf", "lastIndexOf", "remove"}
    | {"removeAll", "retainAll", "join", "format", "valueOf"}
)
"""Methods that go through all that a value holds."""


_MATCHING = frozenset({"matches", "replaceAll", "replaceFirst", "split"})
_QUICK = 256
"""Steps of a regular expression for the price of one part."""


def _called(run: Run, value: Any, name: str, arguments: list[Any]) -> Any:
    """A method's result; what it goes through is counted as work."""
    if name in _THOROUGH:
        run.spend(weight(value, run.left + 1))
    elif isinstance(value, str | list | dict):
        run.spend(len(value) // _A_STEP)
        if name in _MATCHING:
            run.spend(strings.matching_steps(value, arguments) // _QUICK)
    for argument in arguments:
        if isinstance(argument, str | list | dict):
            run.spend(
                weight(argument, run.left + 1)
                if name in _THOROUGH or isinstance(value, Host)
                else len(argument) // _A_STEP
            )
    found = call(value, name, arguments)
    if isinstance(value, Host) and isinstance(
        found, str
    ):  # texts made of documents: $input.json, $util.escapeJavaScript
        run.spend(len(found) // _A_STEP)
    return found


def _located(node: Reference, function: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except NoSuchMethod:
        return None
    except VelocityError as error:
        if error.line:
            raise
        raise type(error)(error.message, node.line, node.column) from error


def _set(node: Set) -> Printer:
    value = compile_value(node.value)
    target = node.target
    if not target.steps:

        def plain(run: Run) -> None:
            run.step()
            found = value(run)
            if found is not None or run.blank:
                _assign(run, target.name, found)

        return plain
    owner = reference_value(Reference(target.name, target.steps[:-1], True, "", 0, target.line, target.column))
    last = target.steps[-1]
    key = compile_value(last.key if isinstance(last, Index) else Literal(last.name))

    def member(run: Run) -> None:
        found, holder = value(run), owner(run)
        if holder is None or (found is None and not run.blank):
            return
        _located(target, _put, holder, key(run), found)

    return member


def _put(holder: Any, key: Any, value: Any) -> None:
    call(holder, "set" if isinstance(holder, list) and is_number(key) else "put", [key, value])


def _assign(run: Run, name: str, value: Any) -> None:
    """Set a variable: of a macro's argument that is a plain reference, the caller's."""
    if name in run.scope:
        argument = run.scope[name]
        if isinstance(argument, Argument) and isinstance(argument.node, Reference) and not argument.node.steps:
            mine, run.scope = run.scope, argument.scope
            _assign(run, argument.node.name, value)
            run.scope = mine
        else:
            run.scope[name] = value
    else:
        run.variables[name] = value


def _if(node: If) -> Printer:
    branches = [(_test(condition), compile_block(block)) for condition, block in node.branches]
    otherwise = compile_block(node.otherwise)

    def printer(run: Run) -> None:
        run.step()
        for test, block in branches:
            if test(run):
                block(run)
                return
        otherwise(run)

    return printer


def _test(condition: Expression) -> Callable[[Run], bool]:
    """Truth: of references, having a value that is not false. Of other values that are no tests, none."""
    value = compile_value(condition)
    if isinstance(condition, Reference):
        return lambda run: _true(value(run))
    if isinstance(condition, Literal | Not | Operation):
        return lambda run: value(run) is True
    return lambda _: False


def _true(value: Any) -> bool:
    return value is not None and value is not False


def _foreach(node: Foreach) -> Printer:
    items, block, name = compile_value(node.items), compile_block(node.block), node.name

    def printer(run: Run) -> None:
        run.step()
        elements = _elements(items(run))
        if elements is None:
            return
        run.spend(len(elements) // _A_STEP)
        variables = run.variables
        before = {
            key: variables[key] for key in (name, "velocityCount", "velocityHasNext", "foreach") if key in variables
        }
        loop = variables["foreach"] = Loop(before.get("foreach"))
        count = len(elements)
        try:
            for place, element in enumerate(elements[: run.loops] if run.loops else elements):
                run.step()
                loop.index, loop.has_next = place, place + 1 < count
                variables["velocityCount"], variables["velocityHasNext"] = place + 1, loop.has_next
                variables[name] = element
                block(run)
        except LeaveLoop:
            pass
        finally:
            for key in (name, "velocityCount", "velocityHasNext", "foreach"):
                variables.pop(key, None)
            variables.update(before)

    return printer


def _elements(value: Any) -> list[Any] | None:
    """What a loop goes over: a list's elements, a map's values."""
    if isinstance(value, dict):
        return list(value.values())
    return list(value) if isinstance(value, list | tuple | range) else None


def _define(node: Define) -> Printer:
    block = compile_block(node.block)
    return lambda run: run.variables.__setitem__(node.name, Defined(block, run))


def _call(node: Call) -> Printer:
    arguments = [(argument, compile_value(argument)) for argument in node.arguments]
    content = compile_block(node.block) if node.block is not None else None

    def printer(run: Run) -> None:
        run.step()
        macro = run.macros.get(node.name)
        if macro is None:
            run.print(node.text)
            if content:
                content(run)
            return
        outer = run.scope
        scope: dict[str, Any] = dict.fromkeys(macro.parameters)
        given: Iterable[Any] = zip(macro.parameters, arguments, strict=False)
        scope.update((parameter, Argument(tree, value, outer)) for parameter, (tree, value) in given)
        if content is not None:
            scope["bodyContent"] = Argument(Literal(""), lambda inner: inner.captured(content), outer)
        run.enter()
        run.scope = scope
        try:
            macro.block(run)
        except LeaveLoop:
            pass
        finally:
            run.scope = outer
            run.calls -= 1

    return printer


def _evaluate(node: Evaluate) -> Printer:
    from cumulet.expressions.velocity.parse import Parser  # noqa: PLC0415  (only where a template makes templates)

    value = compile_value(node.value)

    def printer(run: Run) -> None:
        text = value(run)
        if isinstance(text, str):
            run.enter()
            run.left -= len(text)
            run.step()
            block = Parser(text).parse()
            run.macros |= macros_of(block)
            compile_block(block)(run)
            run.calls -= 1

    return printer


def compile_value(node: Expression) -> Value:
    """The closure of an expression."""
    match node:
        case Literal(value=value):
            return lambda _: value
        case Reference():
            return reference_value(node)
        case Interpolated(parts=parts):
            block = compile_block(parts)
            return lambda run: bounded(run.captured(block))
        case Listed(elements=elements):
            values = [compile_value(element) for element in elements]
            return lambda run: [value(run) for value in values]
        case Mapped():
            return _mapped(node)
        case Range(first=first, last=last):
            start, end = compile_value(first), compile_value(last)
            return lambda run: _range(start(run), end(run))
        case Not(inner=inner):
            test = _test(inner)
            return lambda run: not test(run)
        case Operation():
            return _operation(node)
    raise AssertionError(node)


def _mapped(node: Mapped) -> Value:
    members = [(compile_value(key), compile_value(value)) for key, value in node.members]

    def value(run: Run) -> dict[Any, Any]:
        made: dict[Any, Any] = {}
        for key, member in members:
            call(made, "put", [key(run), member(run)])
        return made

    return value


def _range(start: Any, end: Any) -> list[int] | None:
    if not (isinstance(start, int) and isinstance(end, int)):
        return None
    if abs(end - start) >= _LONGEST_RANGE:
        raise VelocityError("a range is too long")
    return list(range(start, end + 1)) if start <= end else list(range(start, end - 1, -1))


def _operation(node: Operation) -> Value:
    sign = node.sign
    if sign in {"&&", "||"}:
        first, second = _test(node.left), _test(node.right)
        if sign == "&&":
            return lambda run: first(run) and second(run)
        return lambda run: first(run) or second(run)
    left, right = compile_value(node.left), compile_value(node.right)
    if sign in {"==", "!="}:
        return _equality(left, right, wanted=sign == "==")
    if sign in {"<", "<=", ">", ">="}:
        return lambda run: ordered(sign, left(run), right(run))
    return lambda run: calculate(sign, left(run), right(run), run.blank)


def _equality(left: Value, right: Value, *, wanted: bool) -> Value:
    def value(run: Run) -> bool:
        one, other = left(run), right(run)
        if isinstance(one, list | dict) or isinstance(other, list | dict):
            run.spend(weight(one, run.left + 1))
            run.spend(weight(other, run.left + 1))
        return equal(one, other, run.blank) is wanted

    return value
