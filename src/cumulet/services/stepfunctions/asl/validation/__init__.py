"""What is wrong with a definition, in AWS's words.

Codes and texts are AWS's where they are known (recorded answers of ValidateStateMachineDefinition and CreateStateMachine);
AWS itself says that the wording may change.
https://docs.aws.amazon.com/step-functions/latest/apireference/API_ValidateStateMachineDefinition.html
"""

from __future__ import annotations

from typing import Any

from cumulet.services.stepfunctions.asl.errors import Diagnostic
from cumulet.services.stepfunctions.asl.states import Kind
from cumulet.services.stepfunctions.asl.validation import graph, kinds, text
from cumulet.services.stepfunctions.asl.validation.kinds import Check
from cumulet.services.stepfunctions.asl.validation.place import Place
from cumulet.services.stepfunctions.asl.validation.report import Report
from cumulet.services.stepfunctions.asl.validation.states import flow

# Characters of a definition, and objects and arrays in each other.
LONGEST = 1_048_576
_DEPTH = 150

_MACHINE: dict[str, Check] = {
    "Comment": kinds.anything,
    "StartAt": kinds.string,
    "States": kinds.anything,
    "QueryLanguage": kinds.one_of("JSONPath", "JSONata"),
    "TimeoutSeconds": kinds.number(0, 99_999_999),
    "Version": kinds.one_of("1.0"),
}


def read(definition: str, kind: Kind) -> tuple[dict[str, Any] | None, list[Diagnostic]]:
    """The definition's document (None where it is no JSON object), and what was found. Never raises."""
    report = Report()
    document = _document(report, definition)
    if document is None:
        return None, report.found
    language = document.get("QueryLanguage", "JSONPath")
    if language not in ("JSONPath", "JSONata"):
        language = "JSONPath"
    flow(report, document, "", Place(language, language, kind), 0, _MACHINE)
    if not report.failed:
        graph.check(report, document)
    return document, report.found


def _document(report: Report, definition: str) -> dict[str, Any] | None:
    if not definition.strip():
        report.error("Definition must be a valid JSON object", None)
        return None
    if len(definition) > LONGEST:
        report.error(f"Definition exceeds the maximum length of {LONGEST} characters", None)
        return None
    try:
        document = text.parse(definition)
    except text.BadText as wrong:
        report.error(f"{wrong.message}\n at {wrong.source}", wrong.source, "INVALID_JSON_DESCRIPTION")
        return None
    if not isinstance(document, dict):
        report.error("Definition must be a valid JSON object", None)
        return None
    if _too_deep(document):
        report.error("The states are too deeply nested.", None, "TOO_DEEPLY_NESTED")
        return None
    return document


def _too_deep(document: dict[str, Any]) -> bool:
    level: list[Any] = [document]
    for _ in range(_DEPTH):
        level = [
            inner
            for value in level
            for inner in (value.values() if isinstance(value, dict) else value)
            if isinstance(inner, (dict, list)) and inner
        ]
        if not level:
            return False
    return True
