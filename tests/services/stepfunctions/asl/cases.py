"""Small machines for the tests of the language."""

import json
import random
from typing import Any

from cumulet.services.stepfunctions import asl

CONTEXT: dict[str, Any] = {"Execution": {"Id": "arn:aws:states:us-east-1:111111111111:execution:m:e", "Name": "e"}}
FUNCTION = "arn:aws:lambda:us-east-1:111111111111:function:f"


def scope(variables: dict[str, Any] | None = None, context: dict[str, Any] | None = None) -> asl.Scope:
    """A scope whose random numbers and time are the same each time."""
    return asl.Scope(
        CONTEXT if context is None else context, variables or {}, random=random.Random(1), now=lambda: 1_700_000_000_000
    )


def machine(state: dict[str, Any], language: str = "JSONPath", **others: dict[str, Any]) -> asl.Machine:
    """A machine that starts at the state "S"; ``others`` are more states."""
    document = {"QueryLanguage": language, "StartAt": "S", "States": {"S": state, **others}}
    return asl.compile(json.dumps(document))


def state(document: dict[str, Any], language: str = "JSONPath", **others: dict[str, Any]) -> asl.State:
    """The state "S" of such a machine; it ends there, unless it says otherwise."""
    if document["Type"] not in ("Choice", "Fail", "Succeed") and "Next" not in document:
        document = {**document, "End": True}
    return machine(document, language, **others).states["S"]


def ran(
    document: dict[str, Any], input: Any = None, variables: dict[str, Any] | None = None, language: str = "JSONPath"
) -> Any:
    """The output of an immediate state."""
    return state(document, language).run(input, scope(variables)).output


def passed(parameters: Any, input: Any = None, variables: dict[str, Any] | None = None) -> Any:
    """What a Pass makes of its Parameters."""
    return ran({"Type": "Pass", "Parameters": parameters}, input, variables)


def evaluated(expression: str, input: Any = None, variables: dict[str, Any] | None = None) -> Any:
    """What a JSONata expression gives."""
    return ran({"Type": "Pass", "Output": "{% " + expression + " %}"}, input, variables, "JSONata")
