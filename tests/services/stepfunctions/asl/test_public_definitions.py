"""Definitions that others have published, where a file of them is given by CUMULET_ASL_DEFINITIONS.

The file is a list of objects with ``path`` and ``definition``; ``invalid`` in the path's last part says that it is to be refused.
"""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from tests.services.stepfunctions.asl.cases import FUNCTION

from cumulet.services.stepfunctions import asl

# Those where AWS answers otherwise than the name says, or the definition is none, and why.
EXCEPTIONS = {
    "valid-map-with-item-batcher-jsonata.json": "a JSONPath state in a machine of JSONata: AWS refuses it",
    "valid-assign.asl.json": "a variable with a hyphen in its name: AWS refuses it",
    "valid-task-credentials.json": "credentials without a RoleArn: AWS refuses them",
    "valid-path-array-context.json": "a script expression in a path: not supported here",
    "invalid-jsonata-surround-syntax-no-spaces.json": "AWS takes expressions without blanks at the delimiters",
    "invalid-json-surround-syntax-extra-spaces.json": "AWS takes any blanks at the delimiters",
    "stateMachine.asl.yml": "a Next that is no string: a macro of its template",
}

GIVEN = os.environ.get("CUMULET_ASL_DEFINITIONS")


def definitions() -> list[tuple[str, Any]]:
    """Each with its path."""
    return [(one["path"], one["definition"]) for one in json.loads(Path(GIVEN).read_text())] if GIVEN else []


def filled(value: Any, key: str = "") -> Any:
    """With an ARN where a template would put one."""
    if isinstance(value, dict):
        return FUNCTION if key == "Resource" else {name: filled(item, name) for name, item in value.items()}
    if isinstance(value, list):
        return [filled(item) for item in value]
    if not isinstance(value, str):
        return value
    text = re.sub(r"\$\{[^}\"]*\}", "substituted", value)
    return FUNCTION if key == "Resource" and text != value and not text.startswith("arn:") else text


@pytest.mark.skipif(not GIVEN, reason="CUMULET_ASL_DEFINITIONS names no file")
def test_valid_ones_are_compiled_and_invalid_ones_refused() -> None:
    wrong: list[str] = []
    for path, definition in definitions():
        name = path.rsplit("/", 1)[-1]
        try:
            asl.compile(json.dumps(filled(definition)))
            refused = False
        except asl.InvalidDefinition:
            refused = True
        if refused != ("invalid" in name) and name not in EXCEPTIONS:
            wrong.append(path)
    assert wrong == []
