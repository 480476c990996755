"""What the codecs of one service share: its model, quirks, and the functions compiled from its shapes."""

from functools import cached_property
from types import ModuleType
from typing import Any

from msgspec import Struct

from cumulet.api.model import Model, Operation, Shape
from cumulet.kernel.errors import AwsError
from cumulet.wire import quirks, validate
from cumulet.wire.shapes import module_of
from cumulet.wire.values import ValueReader, ValueWriter
from cumulet.wire.xml_values import XmlReader, XmlWriter

MALFORMED_XML = "The XML you provided was not well-formed or did not validate against our published schema"


class Context:
    """One service's shapes as compiled functions, each made when first asked for."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.service = model.metadata.service
        self.quirks = quirks.of(self.service)

    @cached_property
    def api(self) -> ModuleType:
        return module_of(self.model)

    @cached_property
    def value_reader(self) -> ValueReader:
        return ValueReader(self.model, lenient=self.quirks.wrong_types == "collections")

    @cached_property
    def value_writer(self) -> ValueWriter:
        return ValueWriter(self.model)

    @cached_property
    def binary_writer(self) -> ValueWriter:
        return ValueWriter(self.model, binary=True)

    @cached_property
    def xml_reader(self) -> XmlReader:
        return XmlReader(self.model)

    @cached_property
    def xml_writer(self) -> XmlWriter:
        return XmlWriter(self.model, milliseconds=self.quirks.milliseconds)

    @cached_property
    def validator(self) -> validate.Validator:
        """Checks for structs whose required members are known to be there."""
        return validate.Validator(self.model, self.quirks, nulls=False)

    @cached_property
    def null_validator(self) -> validate.Validator:
        """Checks that also look for missing members."""
        return validate.Validator(self.model, self.quirks, nulls=True)

    @cached_property
    def errors(self) -> dict[str, Shape]:
        """The modelled errors by every code they are known under."""
        found = {}
        for name, raw in self.model.shapes.items():
            if b'"error":' in memoryview(raw).tobytes():
                shape = self.model.shape(name)
                if shape.error is not None:
                    found[shape.error.code] = shape
        return found

    def operation(self, name: str) -> Operation:
        """The operation of that name; KeyError when the service has none."""
        return self.model.operations[name]

    def struct(self, shape_name: str) -> type[Struct]:
        """The struct of a structure."""
        found: type[Struct] = getattr(self.api, shape_name)
        return found

    def checker(self, name: str) -> "Checker":
        """The validation of an operation's input."""
        return Checker(self, name)


class Checker:
    """Validates requests of one operation, raising the error that the service would answer."""

    def __init__(self, context: Context, name: str) -> None:
        operation = context.operation(name)
        self._context = context
        self._operation = operation
        self._quirks = context.quirks
        self._schema_code = self._quirks.schema_codes.get(name, "MalformedXML")
        self._prefix = f"{validate.lower(name)}Input." if self._quirks.input_prefix else ""
        self._located = _located(context, operation) if self._prefix else frozenset()
        self._fast: validate.Check | None = None
        if self._quirks.validation != "schema":
            self._fast = context.validator.request(operation.input)

    def __call__(self, request: Any, *, nulls: bool = False) -> None:
        """Raise AwsError when the request breaks its model. `nulls`: required members may be missing."""
        check = self._with_nulls if nulls else self._fast
        if check is not None:
            problems: list[str] = []
            check(request, "", problems)
            if problems:
                raise self._error(problems)

    @cached_property
    def _with_nulls(self) -> validate.Check | None:
        return self._context.null_validator.request(self._operation.input)

    def payload(self, value: Any, shape_name: str) -> None:
        """Check a body against its schema, where that is how the service sees it: S3."""
        problems: list[str] = []
        check = self._context.null_validator.request(shape_name)
        if check is not None:
            check(value, "", problems)
        if problems:
            raise AwsError(MALFORMED_XML, code=self._schema_code)

    def _error(self, problems: list[str]) -> AwsError:
        if self._quirks.validation == "model":
            told = [self._prefixed(problem) for problem in problems] if self._prefix else problems
            return AwsError(validate.summary(told), code=self._quirks.validation_code)
        path = problems[0].rpartition("' failed to satisfy")[0].rpartition("at '")[2]
        name = ".".join(part for part in path.split(".") if part != "member")
        if self._quirks.validation == "schema":
            if name == self._context.model.shape(self._operation.input).payload:
                return AwsError("Request Body is empty", code="MissingRequestBodyError")
            return AwsError(f"Missing required parameter for this request: {name}", code="InvalidRequest")
        if self._quirks.validation_code == "MissingParameter":
            return AwsError(f"The request must contain the parameter {name}.", code="MissingParameter")
        return AwsError(f"Missing required parameter: {name}", code=self._quirks.validation_code)

    def _prefixed(self, problem: str) -> str:
        head, at, tail = problem.partition("' at '")
        if not at:
            head, at, tail = problem.partition(" at '")
        name = tail.split("'", 1)[0].split(".", 1)[0]
        return problem if name in self._located else f"{head}{at}{self._prefix}{tail}"


def _located(context: Context, operation: Operation) -> frozenset[str]:
    shape = context.model.shape(operation.input)
    return frozenset(validate.lower(key) for key, member in shape.members.items() if member.location)
