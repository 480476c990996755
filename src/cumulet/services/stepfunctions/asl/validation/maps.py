"""Checks of what only a Map has: its processor, ItemReader, ItemBatcher and ResultWriter."""

from __future__ import annotations

import re
from typing import Any

from cumulet.services.stepfunctions.asl.validation import kinds, objects
from cumulet.services.stepfunctions.asl.validation.kinds import Check
from cumulet.services.stepfunctions.asl.validation.place import Place
from cumulet.services.stepfunctions.asl.validation.report import Report
from cumulet.services.stepfunctions.asl.validation.states import flow

_MODES = ("INLINE", "DISTRIBUTED")
_PROCESSORS = ("ItemProcessor", "Iterator")
_READS = re.compile(r"arn:[^:]+:states:::s3:(getObject|listObjectsV2)")
_WRITES = re.compile(r"arn:[^:]+:states:::s3:putObject")
_MOST_ITEMS = 100_000_000
_MOST_BYTES = 262_144


def _resource(pattern: re.Pattern[str]) -> Check:
    def check(report: Report, value: Any, at: str, place: Place) -> None:
        if not isinstance(value, str) or not pattern.fullmatch(value):
            report.error("The field 'Resource' does not match any of the allowed values", at)

    return check


_READER_CONFIG: dict[str, Check] = {
    "InputType": kinds.one_of("CSV", "JSON", "JSONL", "MANIFEST", "PARQUET"),
    "ManifestType": kinds.one_of("ATHENA_DATA", "S3_INVENTORY"),
    "Transformation": kinds.one_of("NONE", "LOAD_AND_FLATTEN"),
    "CSVHeaderLocation": kinds.one_of("FIRST_ROW", "GIVEN"),
    "CSVHeaders": kinds.array,
    "CSVDelimiter": kinds.one_of("COMMA", "PIPE", "SEMICOLON", "SPACE", "TAB"),
    "ItemsPointer": kinds.string,
    "MaxItems": kinds.number(0, _MOST_ITEMS, expression=True),
    "MaxItemsPath": kinds.single(),
    "Comment": kinds.anything,
}
_WRITER_CONFIG: dict[str, Check] = {
    "Transformation": kinds.one_of("NONE", "COMPACT", "FLATTEN"),
    "OutputType": kinds.one_of("JSON", "JSONL"),
}
_BATCHER: dict[str, Check] = {
    "BatchInput": kinds.payload,
    "MaxItemsPerBatch": kinds.number(0, expression=True),
    "MaxItemsPerBatchPath": kinds.single(),
    "MaxInputBytesPerBatch": kinds.number(0, _MOST_BYTES, expression=True),
    "MaxInputBytesPerBatchPath": kinds.single(),
    "Comment": kinds.anything,
}


def check(report: Report, state: dict[str, Any], at: str, place: Place, depth: int) -> None:
    """All of it."""
    objects.exactly_one(report, state, _PROCESSORS, at)
    objects.at_most_one(report, state, ("ItemsPath", "Items"), at)
    for name in _PROCESSORS:
        if name in state:
            _processor(report, state[name], f"{at}/{name}", place, depth)
    for name, inner in (("ItemReader", _reader), ("ResultWriter", _writer), ("ItemBatcher", _batcher)):
        if name not in state:
            continue
        if isinstance(state[name], dict):
            inner(report, state[name], f"{at}/{name}", place)
        else:
            report.error("Expected value of type Object", f"{at}/{name}")


def _processor(report: Report, processor: Any, at: str, place: Place, depth: int) -> None:
    inner = place.within(place.kind)
    if isinstance(processor, dict) and "ProcessorConfig" in processor:
        config, where = processor["ProcessorConfig"], f"{at}/ProcessorConfig"
        if not isinstance(config, dict):
            report.error("Expected value of type Object", where)
        else:
            _config(report, config, where, place)
            if config.get("ExecutionType") == "EXPRESS":
                inner = place.within("EXPRESS")
    flow(report, processor, at, inner, depth + 1)


def _config(report: Report, config: dict[str, Any], at: str, place: Place) -> None:
    mode = config.get("Mode", "INLINE")
    allowed: dict[str, Check] = {"Mode": kinds.one_of(*_MODES)}
    if mode == "DISTRIBUTED":
        allowed["ExecutionType"] = kinds.one_of("STANDARD", "EXPRESS")
        objects.required(report, config, ("ExecutionType",), at)
        if place.kind == "EXPRESS":
            report.error(
                "The field 'Mode' with value 'DISTRIBUTED' is not supported inside 'EXPRESS' state machines",
                f"{at}/Mode",
            )
    objects.fields(report, config, allowed, at, place)


def _reader(report: Report, reader: dict[str, Any], at: str, place: Place) -> None:
    allowed: dict[str, Check] = {
        "Resource": _resource(_READS),
        "Parameters": kinds.payload,
        "Arguments": kinds.payload,
        "ReaderConfig": kinds.thing,
        "Comment": kinds.anything,
    }
    objects.required(report, reader, ("Resource",), at)
    objects.fields(report, reader, allowed, at, place)
    config, where = reader.get("ReaderConfig"), f"{at}/ReaderConfig"
    if not isinstance(config, dict):
        return
    objects.fields(report, config, _READER_CONFIG, where, place)
    objects.at_most_one(report, config, ("MaxItems", "MaxItemsPath"), where)
    if config.get("InputType") == "CSV" and "CSVHeaderLocation" not in config:
        report.error("The field 'CSVHeaderLocation' is required", where)
    elif config.get("InputType") in ("JSON", "JSONL") and "CSVHeaderLocation" in config:
        report.error("Field 'CSVHeaderLocation' is not supported", where)
    if config.get("CSVHeaderLocation") == "GIVEN":
        objects.required(report, config, ("CSVHeaders",), where)


def _writer(report: Report, writer: dict[str, Any], at: str, place: Place) -> None:
    allowed: dict[str, Check] = {
        "Resource": _resource(_WRITES),
        "Parameters": kinds.payload,
        "Arguments": kinds.payload,
        "WriterConfig": kinds.thing,
        "Comment": kinds.anything,
    }
    objects.fields(report, writer, allowed, at, place)
    if isinstance(writer.get("WriterConfig"), dict):
        objects.fields(report, writer["WriterConfig"], _WRITER_CONFIG, f"{at}/WriterConfig", place)


def _batcher(report: Report, batcher: dict[str, Any], at: str, place: Place) -> None:
    objects.fields(report, batcher, _BATCHER, at, place)
    objects.at_most_one(report, batcher, ("MaxItemsPerBatch", "MaxItemsPerBatchPath"), at)
    objects.at_most_one(report, batcher, ("MaxInputBytesPerBatch", "MaxInputBytesPerBatchPath"), at)
