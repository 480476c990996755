"""The API of event source mappings: answers, rules, states."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.services.lambda_.sources.conftest import Queue, until

Make = Callable[..., Any]
WINDOW = "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10"


def refusal(call: Callable[..., Any], **request: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**request)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


@pytest.fixture
def source(queue: Make) -> Queue:
    found: Queue = queue("source")
    return found


@pytest.fixture
def function(make: Make) -> str:
    make("function")
    return "function"


def test_the_answer_is_as_on_aws(functions: Any, source: Queue, function: str, account: str) -> None:
    made = functions.create_event_source_mapping(EventSourceArn=source.arn, FunctionName=function)
    assert made.pop("ResponseMetadata")["HTTPStatusCode"] == 202
    uuid = made["UUID"]
    assert made.pop("LastModified").timestamp() > 0
    expected = {
        "UUID": uuid,
        "BatchSize": 10,
        "MaximumBatchingWindowInSeconds": 0,
        "EventSourceArn": source.arn,
        "EventSourceMappingArn": f"arn:aws:lambda:us-east-1:{account}:event-source-mapping:{uuid}",
        "FunctionArn": f"arn:aws:lambda:us-east-1:{account}:function:function",
        "FunctionResponseTypes": [],
        "State": "Creating",
        "StateTransitionReason": "USER_INITIATED",
    }
    assert made == expected
    until(lambda: functions.get_event_source_mapping(UUID=uuid)["State"] == "Enabled")
    deleted = functions.delete_event_source_mapping(UUID=uuid)
    assert (deleted["State"], deleted["ResponseMetadata"]["HTTPStatusCode"]) == ("Deleting", 202)
    until(lambda: not functions.list_event_source_mappings()["EventSourceMappings"])
    assert refusal(functions.get_event_source_mapping, UUID=uuid) == (
        "ResourceNotFoundException",
        "The resource you requested does not exist.",
    )


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"BatchSize": 11}, WINDOW),
        ({"StartingPosition": "LATEST"}, "StartingPosition is not valid for SQS event sources."),
        (
            {"DestinationConfig": {"OnFailure": {"Destination": "arn:aws:sqs:us-east-1:111111111111:x"}}},
            "Unsupported DestinationConfig parameter for given event source mapping type.",
        ),
        ({"ParallelizationFactor": 2}, "ParallelizationFactor is not supported for SQS event sources."),
        ({"FilterCriteria": {"Filters": [{"Pattern": "x"}]}}, "Invalid filter pattern definition."),
        (
            {"FilterCriteria": {"Filters": [{"Pattern": '{"body": "x"}'}]}},
            "Invalid filter pattern definition.",
        ),
        (
            {"FilterCriteria": {"Filters": [{"Pattern": "{}"}] * 6}},
            "Filters per event source mapping are limited to 5.",
        ),
        (
            {"ScalingConfig": {"MaximumConcurrency": 5}, "ProvisionedPollerConfig": {"MinimumPollers": 2}},
            "ProvisionedPollerConfig and ScalingConfig cannot be used together.",
        ),
    ],
)
def test_what_a_queue_does_not_have(
    functions: Any, source: Queue, function: str, members: dict[str, Any], message: str
) -> None:
    request = {"EventSourceArn": source.arn, "FunctionName": function, **members}
    assert refusal(functions.create_event_source_mapping, **request) == ("InvalidParameterValueException", message)
    assert functions.list_event_source_mappings()["EventSourceMappings"] == []


def test_fifo_queues_have_no_window(functions: Any, queue: Make, function: str) -> None:
    arn = queue("source.fifo", FifoQueue="true").arn
    request = {"EventSourceArn": arn, "FunctionName": function, "MaximumBatchingWindowInSeconds": 1}
    assert refusal(functions.create_event_source_mapping, **request)[1] == (
        "Batching window is not supported for FIFO queues"
    )


def test_what_must_be_there(functions: Any, source: Queue, function: str, account: str) -> None:
    create = functions.create_event_source_mapping
    assert refusal(create, FunctionName=function)[1] == "Unrecognized event source."
    assert refusal(create, FunctionName="none", EventSourceArn=source.arn)[1] == "Function does not exist"
    missing = f"arn:aws:sqs:us-east-1:{account}:missing"
    assert refusal(create, FunctionName=function, EventSourceArn=missing)[1] == (
        "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. "
        "SQS Error Message: The specified queue does not exist."
    )


def test_messages_must_stay_hidden_while_the_function_may_run(functions: Any, source: Queue, make: Make) -> None:
    make("slow", Timeout=60)
    assert refusal(functions.create_event_source_mapping, FunctionName="slow", EventSourceArn=source.arn) == (
        "InvalidParameterValueException",
        "Queue visibility timeout: 30 seconds is less than Function timeout: 60 seconds",
    )


def test_a_function_reads_a_queue_once(functions: Any, source: Queue, function: str, connect: Make) -> None:
    uuid = connect(source, function)
    code, message = refusal(functions.create_event_source_mapping, FunctionName=function, EventSourceArn=source.arn)
    assert code == "ResourceConflictException"
    assert message == (
        f'An event source mapping with SQS arn (" {source.arn} ") and function (" function ") already exists. '
        f"Please update or delete the existing mapping with UUID {uuid}"
    )


def test_streams_are_checked(functions: Any, function: str, account: str) -> None:
    create = functions.create_event_source_mapping
    stream = f"arn:aws:dynamodb:us-east-1:{account}:table/t/stream/2026-01-01T00:00:00.000"
    request = {"FunctionName": function, "EventSourceArn": stream}
    assert refusal(create, **request)[1] == (
        "1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: "
        "Member must not be null."
    )
    request["StartingPosition"] = "AT_TIMESTAMP"
    assert refusal(create, **request)[1] == f"Unsupported starting position for arn type: {stream}"
    request["StartingPosition"] = "LATEST"
    assert refusal(create, **request) == ("InvalidParameterValueException", f"Stream not found: {stream}")
    request["EventSourceArn"] = stream = f"arn:aws:kinesis:us-east-1:{account}:stream/s"
    assert refusal(create, **request) == ("InvalidParameterValueException", f"Stream not found: {stream}")
    assert functions.list_event_source_mappings()["EventSourceMappings"] == []


def test_updates_change_what_they_name_and_clear_what_is_empty(
    functions: Any, source: Queue, function: str, make: Make, connect: Make
) -> None:
    pattern = json.dumps({"body": {"a": [1]}})
    uuid = connect(
        *(source, function),
        BatchSize=5,
        FilterCriteria={"Filters": [{"Pattern": pattern}]},
        ScalingConfig={"MaximumConcurrency": 3},
        FunctionResponseTypes=["ReportBatchItemFailures"],
    )
    make("other")
    changed = functions.update_event_source_mapping(
        UUID=uuid, FunctionName="other", BatchSize=100, MaximumBatchingWindowInSeconds=1, ScalingConfig={}
    )
    assert changed["State"] == "Updating"
    assert changed["FunctionArn"].endswith(":function:other")
    assert (changed["BatchSize"], changed["FilterCriteria"]) == (100, {"Filters": [{"Pattern": pattern}]})
    assert "ScalingConfig" not in changed
    until(lambda: functions.get_event_source_mapping(UUID=uuid)["State"] == "Enabled")
    cleared = functions.update_event_source_mapping(UUID=uuid, FilterCriteria={}, FunctionResponseTypes=[])
    assert "FilterCriteria" not in cleared
    assert cleared["FunctionResponseTypes"] == []
    assert refusal(functions.update_event_source_mapping, UUID=uuid, MaximumBatchingWindowInSeconds=0)[1] == WINDOW


def test_lists_by_function_and_by_source(functions: Any, queue: Make, make: Make, connect: Make) -> None:
    queues = [queue(f"source-{number}") for number in range(3)]
    make("one")
    make("two")
    uuids = [connect(queues[0], "one"), connect(queues[1], "one"), connect(queues[1], "two")]

    def listed(**members: Any) -> set[str]:
        pages = functions.get_paginator("list_event_source_mappings").paginate(
            **members, PaginationConfig={"PageSize": 1}
        )
        return {mapping["UUID"] for page in pages for mapping in page["EventSourceMappings"]}

    assert listed() == set(uuids)
    assert listed(FunctionName="one") == set(uuids[:2])
    assert listed(EventSourceArn=queues[1].arn) == set(uuids[1:])
    assert listed(FunctionName="two", EventSourceArn=queues[0].arn) == set()
    assert functions.list_event_source_mappings(FunctionName="none")["EventSourceMappings"] == []


def test_mappings_have_tags(functions: Any, source: Queue, function: str, connect: Make) -> None:
    uuid = connect(source, function, Tags={"a": "1"})
    arn = functions.get_event_source_mapping(UUID=uuid)["EventSourceMappingArn"]
    functions.tag_resource(Resource=arn, Tags={"b": "2"})
    functions.untag_resource(Resource=arn, TagKeys=["a"])
    assert functions.list_tags(Resource=arn)["Tags"] == {"b": "2"}
    functions.delete_event_source_mapping(UUID=uuid)
    until(lambda: not functions.list_event_source_mappings()["EventSourceMappings"])
    assert refusal(functions.list_tags, Resource=arn)[0] == "ResourceNotFoundException"


def test_a_mapping_outlives_its_function(functions: Any, source: Queue, make: Make, connect: Make) -> None:
    make("short-lived")
    uuid = connect(source, "short-lived")
    functions.delete_function(FunctionName="short-lived")
    source.send("a")
    problem = until(lambda: functions.get_event_source_mapping(UUID=uuid).get("LastProcessingResult"))
    assert problem.startswith("PROBLEM: Function not found")
    assert functions.get_event_source_mapping(UUID=uuid)["State"] == "Enabled"
    assert sum(source.counts()) == 1


def test_other_accounts_see_nothing(client: Make, source: Queue, function: str, connect: Make) -> None:
    uuid = connect(source, function)
    stranger = client("lambda", account="999999999999")
    assert refusal(stranger.get_event_source_mapping, UUID=uuid)[0] == "ResourceNotFoundException"
    assert refusal(stranger.delete_event_source_mapping, UUID=uuid)[0] == "ResourceNotFoundException"
    assert stranger.list_event_source_mappings(EventSourceArn=source.arn)["EventSourceMappings"] == []
