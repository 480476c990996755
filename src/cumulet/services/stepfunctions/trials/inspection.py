"""What a test shows beside its outcome: the data after each of the state's fields."""

from __future__ import annotations

import json
from typing import Any

from cumulet.api import stepfunctions as api
from cumulet.services.stepfunctions import asl
from cumulet.services.stepfunctions.engine.ports import HttpExchange
from cumulet.services.stepfunctions.trials.subject import Subject

_INPUT = frozenset({"afterInputPath"})
_RESULT = frozenset({"afterResultSelector", "afterResultPath"})
# Which steps AWS shows for a type of state, of those that it goes through.
_SHOWN: dict[str, frozenset[str]] = {
    "Choice": _INPUT,
    "Succeed": _INPUT,
    "Fail": _INPUT,
    "Wait": _INPUT,
    "Parallel": _RESULT,
    "Map": _INPUT | _RESULT | {"afterItemsPath", "afterItemSelector"},
    "Task": _INPUT | _RESULT | {"afterParameters", "result"},
}
_PASS = _INPUT | _RESULT | {"afterParameters"}
_PASS_RESULT = _RESULT | {"result"}
_JSONATA: dict[str, frozenset[str]] = {"Task": frozenset({"afterArguments", "result"})}
_ATTRIBUTES = {
    "afterInputPath": "after_input_path",
    "afterParameters": "after_parameters",
    "afterArguments": "after_arguments",
    "afterResultSelector": "after_result_selector",
    "afterResultPath": "after_result_path",
    "afterItemsPath": "after_items_path",
    "afterItemSelector": "after_item_selector",
    "result": "result",
}


def text(value: Any) -> str:
    """JSON as AWS writes it here, with spaces."""
    return json.dumps(value, ensure_ascii=False)


def shown(
    subject: Subject,
    input: str,
    trace: dict[str, Any],
    variables: dict[str, Any],
    error: api.InspectionErrorDetails | None,
) -> api.InspectionData:
    """The inspection data of a test. `trace` is what the state left behind on its way."""
    state = subject.state
    wanted = _wanted(state, subject.document)
    found = {
        attribute: text(trace[name])
        for name, attribute in _ATTRIBUTES.items()
        if name in wanted and name in trace and trace[name] is not None
    }
    data = api.InspectionData(input=input, error_details=error, variables=text(variables) if variables else None)
    for attribute, value in found.items():
        setattr(data, attribute, value)
    if isinstance(state, asl.Map):
        data.max_concurrency = trace.get("maxConcurrency")
        data.tolerated_failure_count = trace.get("toleratedFailureCount")
        data.tolerated_failure_percentage = trace.get("toleratedFailurePercentage")
    return data


def add_exchange(data: api.InspectionData, exchange: HttpExchange) -> None:
    """What an HTTP Task sent and was answered."""
    if exchange.request:
        data.request = api.InspectionDataRequest(**exchange.request)
    if exchange.response:
        told = exchange.response
        data.response = api.InspectionDataResponse(
            protocol=told["protocol"],
            status_code=told["statusCode"],
            status_message=told["statusMessage"],
            headers=told["headers"],
            body=told["body"],
        )


def _wanted(state: asl.State, document: dict[str, Any]) -> frozenset[str]:
    if state.query_language == "JSONata":
        return _JSONATA.get(state.kind, frozenset())
    if state.kind == "Pass":
        return _PASS_RESULT if "Result" in document else _PASS
    return _SHOWN[state.kind]
