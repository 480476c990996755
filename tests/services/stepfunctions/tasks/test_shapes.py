from typing import Any

import msgspec
import pytest

from cumulet.api import dynamodb, s3, stepfunctions
from cumulet.services.stepfunctions.tasks.shapes import BadField, Text, instant, shapes


def test_java_s_names_and_the_model_s_are_taken() -> None:
    request: Any = shapes("dynamodb", True).request(
        "PutItem", {"TableName": "t", "Item": {"ok": {"Bool": True}, "old": {"BOOL": False}, "bytes": {"B": "abc"}}}
    )
    assert request.item["ok"].bool is True
    assert request.item["old"].bool is False
    assert request.item["bytes"].b == b"abc"


def test_values_are_made_to_fit_as_the_sdk_does() -> None:
    request: Any = shapes("stepfunctions", True).request(
        "StartExecution", {"StateMachineArn": "arn", "Input": {"a": [1, None]}, "Name": None}
    )
    assert (request.input, request.name) == ('{"a":[1,null]}', None)
    numbers: Any = shapes("sqs", False).request("SendMessage", {"QueueUrl": "q", "MessageBody": 1, "DelaySeconds": "5"})
    assert (numbers.message_body, numbers.delay_seconds) == ("1", 5)


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        ({"QueueName": "q"}, "The field 'QueueName' is not supported by Step Functions"),
        ({"DelaySeconds": "soon"}, "The value of the field 'DelaySeconds' has an invalid format"),
        ({"MessageAttributes": []}, "The value of the field 'MessageAttributes' has an invalid format"),
        ({"MessageAttributes": {"a": {"Kind": "x"}}}, "The field 'Kind' is not supported by Step Functions"),
    ],
)
def test_what_does_not_fit_is_named(parameters: dict[str, Any], problem: str) -> None:
    with pytest.raises(BadField) as error:
        shapes("sqs", True).request("SendMessage", parameters)
    assert error.value.problem == problem


def test_a_missing_member_is_left_to_the_service() -> None:
    request: Any = shapes("dynamodb", False).request("PutItem", {"TableName": "t"})
    assert request.item is None


def test_results_have_java_s_names_and_moments() -> None:
    result = stepfunctions.StartExecutionOutput(execution_arn="arn", start_date=1_700_000_000.25)
    assert shapes("stepfunctions", True).result("StartExecution", result) == {
        "ExecutionArn": "arn",
        "StartDate": "2023-11-14T22:13:20.250Z",
    }
    assert shapes("stepfunctions", False).result("StartExecution", result)["StartDate"] == 1_700_000_000_250


def test_items_that_are_kept_as_json_are_read() -> None:
    raw: Any = msgspec.Raw(b'{"id":{"S":"1"},"yes":{"BOOL":true},"data":{"B":"AAE="},"list":{"L":[{"NULL":true}]}}')
    result = dynamodb.GetItemOutput(item=raw)
    assert shapes("dynamodb", True).result("GetItem", result) == {
        "Item": {"id": {"S": "1"}, "yes": {"Bool": True}, "data": {"B": "\x00\x01"}, "list": {"L": [{"Nul": True}]}}
    }
    assert shapes("dynamodb", False).result("GetItem", result)["Item"]["yes"] == {"BOOL": True}


def test_a_body_is_its_text_and_metadata_is_always_there() -> None:
    result = s3.GetObjectOutput(body=Text(b"hello"), e_tag='"x"')  # type: ignore[arg-type]  # what was read of it
    assert shapes("s3", True).result("GetObject", result) == {"Body": "hello", "ETag": '"x"', "Metadata": {}}
    binary = s3.GetObjectOutput(body=Text(b"\xff\x00"))  # type: ignore[arg-type]
    assert shapes("s3", True).result("GetObject", binary)["Body"] == "/wA="


def test_moments_are_printed_as_java_prints_them() -> None:
    assert instant(0) == "1970-01-01T00:00:00Z"
    assert instant(1.5) == "1970-01-01T00:00:01.500Z"
