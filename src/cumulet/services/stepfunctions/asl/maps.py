"""The Map state, inline and distributed.

https://docs.aws.amazon.com/step-functions/latest/dg/state-map.html
"""

from __future__ import annotations

from typing import Any, Literal

from cumulet.services.stepfunctions.asl import numbers, paths
from cumulet.services.stepfunctions.asl.errors import QUERY_EVALUATION, StatesError, runtime
from cumulet.services.stepfunctions.asl.jsonata import expressions
from cumulet.services.stepfunctions.asl.outcome import Batching, Begun, Distribution, Transfer
from cumulet.services.stepfunctions.asl.payload import encode
from cumulet.services.stepfunctions.asl.scope import Scope
from cumulet.services.stepfunctions.asl.states import Flow, Kind, QueryLanguage, Read, State
from cumulet.services.stepfunctions.asl.templates import template


class Map(State):
    """Runs ``processor`` once an item; the result is the list of the outputs (or what the ResultWriter gives).

    ``execution_type``: of the child executions of a distributed Map. ``has_reader``: items come from an ItemReader, and
    ``Begun.items`` is None.
    """

    __slots__ = (
        "_batcher",
        "_concurrency",
        "_count",
        "_items",
        "_percentage",
        "_reader",
        "_selector",
        "_writer",
        "execution_type",
        "has_reader",
        "label",
        "mode",
        "processor",
    )
    kind = "Map"

    processor: Flow

    def __init__(self, name: str, state: dict[str, Any], language: QueryLanguage) -> None:
        super().__init__(name, {key: value for key, value in state.items() if key != "Parameters"}, language)
        processor = state.get("ItemProcessor") or state.get("Iterator") or {}
        config = processor.get("ProcessorConfig") or {}
        self.mode: Literal["INLINE", "DISTRIBUTED"] = config.get("Mode", "INLINE")
        self.execution_type: Kind | None = config.get("ExecutionType")
        self.label: str | None = state.get("Label")
        self.has_reader = "ItemReader" in state
        self._concurrency = numbers.field(state, "MaxConcurrency")
        self._count = numbers.field(state, "ToleratedFailureCount")
        self._percentage = numbers.field(state, "ToleratedFailurePercentage", whole=False)
        self._items: Read = _expressed_items(state, self.mode) if self.jsonata else _path_items(state, self.mode)
        selector = state.get("ItemSelector", state.get("Parameters"))
        self._selector = _payload(selector, "ItemSelector", self.jsonata)
        self._reader = _Transfer(state["ItemReader"], "ItemReader", self.jsonata) if self.has_reader else None
        writer = state.get("ResultWriter")
        self._writer = _Transfer(writer, "ResultWriter", self.jsonata) if writer else None
        batcher = state.get("ItemBatcher")
        self._batcher = _Batcher(batcher, self.jsonata) if batcher else None

    def begin(self, input: Any, scope: Scope, inspect: bool = False) -> Begun:
        """The items, unless a reader brings them, and how many may run at once."""
        trace: dict[str, Any] | None = {} if inspect else None
        effective, _ = self._fields.enter(input, scope, trace)
        begun = Begun(effective, trace)
        if not self.has_reader:
            items = self._items(effective, scope)
            if isinstance(items, dict):
                begun.keys = list(items)
                items = [{"Key": key, "Value": value} for key, value in items.items()]
            begun.items = items
        if self._concurrency is not None:
            begun.max_concurrency = int(self._concurrency(effective, scope))
            if begun.max_concurrency < 0:
                raise runtime("MaxConcurrency cannot be negative.")
        if trace is not None:
            trace.pop("afterParameters", None)
            trace["afterItemsPath"] = begun.items
            trace["maxConcurrency"] = begun.max_concurrency
        return begun

    def context(self, scope: Scope, index: int, value: Any, key: str | None = None) -> dict[str, Any]:
        """The context object of an iteration: that of the Map with ``Map.Item``."""
        item: dict[str, Any] = {"Index": index, "Value": value}
        if key is not None:
            item["Key"] = key
        return {**scope.context, "Map": {"Item": item}}

    def item(self, input: Any, begun: Begun, index: int, value: Any, scope: Scope, key: str | None = None) -> Any:
        """The input of one iteration: the item, or what ItemSelector makes of it (``$$.Map.Item`` is added here)."""
        if self._selector is None:
            return value
        return self._selector(begun.arguments, scope.within(self.context(scope, index, value, key)))

    def distribute(self, input: Any, begun: Begun, scope: Scope) -> Distribution:
        """What a distributed Map is to do (evaluated after MapStateStarted, as on AWS). Raises StatesError."""
        effective = begun.arguments
        found = Distribution()
        if self._count is not None:
            found.tolerated_count = int(self._count(effective, scope))
            if found.tolerated_count < 0:
                raise runtime("ToleratedFailureCount cannot be negative.")
        if self._percentage is not None:
            found.tolerated_percentage = float(self._percentage(effective, scope))
            if not 0 <= found.tolerated_percentage <= 100:
                raise runtime("ToleratedFailurePercentage must be between 0 and 100.")
        if self._reader is not None:
            found.reader = self._reader.evaluate(effective, scope)
        if self._writer is not None:
            found.writer = self._writer.evaluate(effective, scope)
        if self._batcher is not None:
            found.batcher = self._batcher.evaluate(effective, scope)
        if begun.trace is not None:
            begun.trace["toleratedFailureCount"] = found.tolerated_count
            begun.trace["toleratedFailurePercentage"] = found.tolerated_percentage
        return found


def _payload(value: Any, field: str, jsonata: bool) -> Read | None:
    if value is None:
        return None
    if not jsonata:
        return template(value)
    evaluate = expressions.template(value, field)
    return lambda input, scope: evaluate(expressions.Frame(scope, input=input))


def _path_items(state: dict[str, Any], mode: str) -> Read:
    text = state.get("ItemsPath", "$")
    source = paths.source(text)

    def read(input: Any, scope: Scope) -> Any:
        try:
            items = source.read(input, scope)
        except paths.NotFound as missing:
            raise runtime(f"Invalid path '{text}' : {missing}") from None
        if isinstance(items, list) or (isinstance(items, dict) and mode == "DISTRIBUTED"):
            return items
        shown = text[1:] if source.context else text
        raise runtime(f'Reference path "{shown}" must point to array.')

    return read


def _expressed_items(state: dict[str, Any], mode: str) -> Read:
    if "Items" not in state:
        return lambda input, scope: _input_items(input, mode)
    value = state["Items"]
    if isinstance(value, list):
        evaluate = expressions.template(value, "Items")
    else:
        wanted = ("array", "object") if mode == "DISTRIBUTED" else ("array",)
        evaluate = expressions.typed(value, "Items", *wanted)
    return lambda input, scope: evaluate(expressions.Frame(scope, input=input))


def _input_items(input: Any, mode: str) -> Any:
    if isinstance(input, list) or (isinstance(input, dict) and mode == "DISTRIBUTED"):
        return input
    cause = f"Map state input must be an array but was: {encode(input).decode()}"
    raise StatesError(QUERY_EVALUATION, cause, location="", inner=True)


class _Transfer:
    """An ItemReader or ResultWriter, compiled."""

    __slots__ = ("_arguments", "_config", "_limit", "_resource")

    def __init__(self, entry: dict[str, Any], where: str, jsonata: bool) -> None:
        self._resource: str | None = entry.get("Resource")
        payload = entry.get("Arguments") if jsonata else entry.get("Parameters")
        self._arguments = _payload(payload, f"{where}/{'Arguments' if jsonata else 'Parameters'}", jsonata)
        self._config: dict[str, Any] = entry.get("ReaderConfig") or entry.get("WriterConfig") or {}
        self._limit = numbers.field(self._config, "MaxItems", where=f"{where}/ReaderConfig/")

    def evaluate(self, input: Any, scope: Scope) -> Transfer:
        config = {key: value for key, value in self._config.items() if not key.startswith("MaxItems")}
        if self._limit is not None:
            config["MaxItems"] = int(self._limit(input, scope))
        arguments = None if self._arguments is None else self._arguments(input, scope)
        return Transfer(self._resource, arguments, config)


class _Batcher:
    """An ItemBatcher, compiled."""

    __slots__ = ("_bytes", "_input", "_items")

    def __init__(self, entry: dict[str, Any], jsonata: bool) -> None:
        self._items = numbers.field(entry, "MaxItemsPerBatch", where="ItemBatcher/")
        self._bytes = numbers.field(entry, "MaxInputBytesPerBatch", where="ItemBatcher/")
        self._input = _payload(entry.get("BatchInput"), "ItemBatcher/BatchInput", jsonata)

    def evaluate(self, input: Any, scope: Scope) -> Batching:
        items = None if self._items is None else int(self._items(input, scope))
        size = None if self._bytes is None else int(self._bytes(input, scope))
        made = None if self._input is None else self._input(input, scope)
        return Batching(items or None, size or None, self._input is not None, made)
