"""What HTTP APIs can do with AWS services without a function between: `SQS-SendMessage` and its like.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-aws-services-reference.html
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

import msgspec
from msgspec import Struct

from cumulet.kernel.web import WebRequest

Parameters = Mapping[str, Any]
"""Values by the names of `parameters`; those that a request does not give are left out."""


class Subtype(Struct, frozen=True):
    """A service's operation. `make` gives its request in the service's own protocol; raises ValueError for a value that does not fit."""

    service: str
    required: tuple[str, ...]
    optional: tuple[str, ...]
    make: Callable[[Parameters], WebRequest]

    @property
    def parameters(self) -> tuple[str, ...]:
        return (*self.required, *self.optional, "Region")


def _json(target: str, version: str, body: Mapping[str, Any]) -> WebRequest:
    kind = f"application/x-amz-json-{version}"
    headers = {"content-type": kind, "x-amz-target": target}
    return WebRequest(
        method="POST", path="/", headers=headers, lines=list(headers.items()), content=msgspec.json.encode(body)
    )


def _sqs(action: str) -> Callable[[Parameters], WebRequest]:
    def make(given: Parameters) -> WebRequest:
        fields = {"Action": action, "Version": "2012-11-05"}
        for name, value in given.items():
            if name in ("MessageAttributes", "MessageSystemAttributes"):
                kind = "MessageAttribute" if name == "MessageAttributes" else "MessageSystemAttribute"
                fields |= _attributes(kind, value)
            elif name in ("AttributeNames", "MessageAttributeNames"):
                for place, one in enumerate(_listed(value), 1):
                    fields[f"{name[:-1]}.{place}"] = str(one)
            else:
                fields[name] = _text(value)
        headers = {"content-type": "application/x-www-form-urlencoded"}
        content = urlencode(fields).encode()
        return WebRequest(method="POST", path="/", headers=headers, lines=list(headers.items()), content=content)

    return make


def _attributes(kind: str, value: Any) -> dict[str, str]:
    fields = {}
    for place, (name, held) in enumerate(_parsed(value).items(), 1):
        if not isinstance(held, dict):
            raise ValueError(f"the message attribute {name} is no object")  # noqa: TRY004  a client's value
        fields[f"{kind}.{place}.Name"] = name
        for part in ("DataType", "StringValue", "BinaryValue"):
            if part in held:
                fields[f"{kind}.{place}.Value.{part}"] = _text(held[part])
    return fields


def _put_events(given: Parameters) -> WebRequest:
    entry: dict[str, Any] = {name: _text(value) for name, value in given.items() if name not in ("Resources", "Time")}
    if "Resources" in given:
        entry["Resources"] = _listed(given["Resources"])
    if "Time" in given:
        entry["Time"] = float(given["Time"])
    return _json("AWSEvents.PutEvents", "1.1", {"Entries": [entry]})


def _put_record(given: Parameters) -> WebRequest:
    body = {name: _text(value) for name, value in given.items()}
    body["Data"] = base64.b64encode(body["Data"].encode()).decode()
    return _json("Kinesis_20131202.PutRecord", "1.1", body)


def _states(operation: str) -> Callable[[Parameters], WebRequest]:
    def make(given: Parameters) -> WebRequest:
        body = {name[0].lower() + name[1:]: _text(value) for name, value in given.items()}
        return _json(f"AWSStepFunctions.{operation}", "1.0", body)

    return make


def _configuration(given: Parameters) -> WebRequest:
    place = [quote(_text(given[name]), safe="") for name in ("Application", "Environment", "Configuration")]
    query = {"client_id": _text(given["ClientId"])}
    if "ClientConfigurationVersion" in given:
        query["client_configuration_version"] = _text(given["ClientConfigurationVersion"])
    path = f"/applications/{place[0]}/environments/{place[1]}/configurations/{place[2]}"
    return WebRequest(method="GET", path=path, query=urlencode(query))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _listed(value: Any) -> list[Any]:
    if isinstance(value, str):
        value = msgspec.json.decode(value) if value.lstrip().startswith("[") else value.split(",")
    return value if isinstance(value, list) else [value]


def _parsed(value: Any) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(value) if isinstance(value, str) else value
    except msgspec.DecodeError as error:
        raise ValueError(f"message attributes are no JSON: {error}") from error
    if not isinstance(found, dict):
        raise ValueError("message attributes are no object")  # noqa: TRY004  a client's value
    return found


SUBTYPES: Mapping[str, Subtype] = {
    "EventBridge-PutEvents": Subtype(
        "events", ("Detail", "DetailType", "Source"), ("Time", "EventBusName", "Resources", "TraceHeader"), _put_events
    ),
    "SQS-SendMessage": Subtype(
        "sqs",
        ("QueueUrl", "MessageBody"),
        ("DelaySeconds", "MessageAttributes", "MessageDeduplicationId", "MessageGroupId", "MessageSystemAttributes"),
        _sqs("SendMessage"),
    ),
    "SQS-ReceiveMessage": Subtype(
        "sqs",
        ("QueueUrl",),
        (
            "AttributeNames",
            "MaxNumberOfMessages",
            "MessageAttributeNames",
            "ReceiveRequestAttemptId",
            "VisibilityTimeout",
            "WaitTimeSeconds",
        ),
        _sqs("ReceiveMessage"),
    ),
    "SQS-DeleteMessage": Subtype("sqs", ("ReceiptHandle", "QueueUrl"), (), _sqs("DeleteMessage")),
    "SQS-PurgeQueue": Subtype("sqs", ("QueueUrl",), (), _sqs("PurgeQueue")),
    "AppConfig-GetConfiguration": Subtype(
        "appconfig",
        ("Application", "Environment", "Configuration", "ClientId"),
        ("ClientConfigurationVersion",),
        _configuration,
    ),
    "Kinesis-PutRecord": Subtype(
        "kinesis",
        ("StreamName", "Data", "PartitionKey"),
        ("SequenceNumberForOrdering", "ExplicitHashKey"),
        _put_record,
    ),
    "StepFunctions-StartExecution": Subtype(
        "stepfunctions", ("StateMachineArn",), ("Name", "Input"), _states("StartExecution")
    ),
    "StepFunctions-StartSyncExecution": Subtype(
        "stepfunctions", ("StateMachineArn",), ("Name", "Input", "TraceHeader"), _states("StartSyncExecution")
    ),
    "StepFunctions-StopExecution": Subtype(
        "stepfunctions", ("ExecutionArn",), ("Cause", "Error"), _states("StopExecution")
    ),
}
