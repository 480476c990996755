"""Operations on mappings of Kafka clusters: their rules, without a cluster."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.services.lambda_.sources.kafka.conftest import source


@pytest.fixture
def create(functions: Any, make: Callable[..., Any]) -> Callable[..., Any]:
    """Creates a mapping that is disabled."""
    make("f")

    def mapping(*servers: str, topic: str = "topic", **members: Any) -> Any:
        request = {**source(*(servers or ("kafka:1000",))), "Topics": [topic], "FunctionName": "f", "Enabled": False}
        return functions.create_event_source_mapping(**(request | members))

    return mapping


def refused(work: Callable[[], Any]) -> tuple[str, str]:
    with pytest.raises(ClientError) as error:
        work()
    return error.value.response["Error"]["Code"], error.value.response["Error"]["Message"]


def test_what_is_shown(create: Callable[..., Any], functions: Any) -> None:
    answer = create()
    del answer["ResponseMetadata"], answer["LastModified"], answer["EventSourceMappingArn"]
    assert answer == {
        "UUID": answer["UUID"],
        "BatchSize": 100,
        "FunctionArn": answer["FunctionArn"],
        "LastProcessingResult": "No records processed",
        "SelfManagedEventSource": {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["kafka:1000"]}},
        "SelfManagedKafkaEventSourceConfig": {"ConsumerGroupId": answer["UUID"]},
        "SourceAccessConfigurations": [{"Type": "VPC_SUBNET", "URI": "subnet:subnet-1"}],
        "StartingPosition": "TRIM_HORIZON",
        "State": "Disabled",
        "StateTransitionReason": "USER_INITIATED",
        "Topics": ["topic"],
    }


def test_the_same_topic_twice(create: Callable[..., Any], functions: Any) -> None:
    first = create()
    code, message = refused(lambda: create("kafka:1000", "kafka:2000"))
    assert code == "ResourceConflictException"
    assert message == (
        f'An event source mapping with event source ("kafka:1000,kafka:2000"), function ("{first["FunctionArn"]}"), '
        f'topics ("topic") already exists. Please update or delete the existing mapping with UUID {first["UUID"]}'
    )
    create("kafka:2000")
    create(topic="other")


@pytest.mark.parametrize(
    ("members", "code", "text"),
    [
        ({"SourceAccessConfigurations": [{"Type": "BASIC_AUTH", "URI": "secret"}]}, "NotImplemented", "BASIC_AUTH"),
        (
            {"EventSourceArn": "arn:aws:kafka:us-east-1:123456789012:cluster/c/1"},
            "InvalidParameterValue",
            "mutually exclusive",
        ),
        ({"StartingPosition": "AT_TIMESTAMP"}, "InvalidParameterValue", "StartingPositionTimestamp"),
        (
            {"StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": time.time() + 9**9},
            "InvalidParameterValue",
            "future",
        ),
        ({"ParallelizationFactor": 2}, "InvalidParameterValue", "ParallelizationFactor"),
        ({"TumblingWindowInSeconds": 2}, "InvalidParameterValue", "TumblingWindowInSeconds"),
        ({"ScalingConfig": {"MaximumConcurrency": 2}}, "InvalidParameterValue", "ScalingConfig"),
        ({"Queues": ["q"]}, "InvalidParameterValue", "Queues"),
        ({"SelfManagedKafkaEventSourceConfig": {"ConsumptionMode": "Queue"}}, "NotImplemented", "Queue"),
        (
            {"SelfManagedKafkaEventSourceConfig": {"SchemaRegistryConfig": {"SchemaRegistryURI": "https://r.example"}}},
            "NotImplemented",
            "SchemaRegistryConfig",
        ),
        ({"MetricsConfig": {"Metrics": ["KafkaMetrics"]}}, "NotImplemented", "KafkaMetrics"),
        ({"DestinationConfig": {"OnFailure": {"Destination": "kafka://t"}}}, "InvalidParameterValue", "Provisioned"),
        (
            {
                "DestinationConfig": {"OnFailure": {"Destination": "kafka://topic"}},
                "ProvisionedPollerConfig": {"MinimumPollers": 1},
            },
            "InvalidParameterValue",
            "cannot be one",
        ),
        ({"ProvisionedPollerConfig": {"MaximumPollers": 2001}}, "", ""),
    ],
)
def test_what_is_refused(create: Callable[..., Any], members: dict[str, Any], code: str, text: str) -> None:
    found, message = refused(lambda: create(**members))
    assert found.startswith(code)
    assert text in message


def test_access_must_be_named(functions: Any, make: Callable[..., Any]) -> None:
    make("f")
    request = source("kafka:1000") | {"Topics": ["topic"], "FunctionName": "f"}
    del request["SourceAccessConfigurations"]
    message = "Required 'sourceAccessConfigurations' parameter is missing."
    assert refused(lambda: functions.create_event_source_mapping(**request))[1] == message


def test_a_poller_group_has_so_many_pollers(create: Callable[..., Any]) -> None:
    def pollers(most: int) -> dict[str, Any]:
        return {"ProvisionedPollerConfig": {"MaximumPollers": most, "PollerGroupName": "group"}}

    first = create(topic="a1", **pollers(1500))
    assert first["ProvisionedPollerConfig"] == {
        "MinimumPollers": 1,
        "MaximumPollers": 1500,
        "PollerGroupName": "group",
    }
    create(topic="a2", **pollers(500))
    assert "2000" in refused(lambda: create(topic="a3", **pollers(1)))[1]


def test_the_group_stays(create: Callable[..., Any], functions: Any) -> None:
    uuid = create(SelfManagedKafkaEventSourceConfig={"ConsumerGroupId": "mine"})["UUID"]

    def update(**members: Any) -> Any:
        return functions.update_event_source_mapping(UUID=uuid, **members)

    config = {"ConsumerGroupId": "yours"}
    assert "ConsumerGroupId" in refused(lambda: update(SelfManagedKafkaEventSourceConfig=config))[1]
    answer = update(BatchSize=7)
    assert (answer["BatchSize"], answer["SelfManagedKafkaEventSourceConfig"]["ConsumerGroupId"]) == (7, "mine")


def test_msk_is_not_here(functions: Any, make: Callable[..., Any]) -> None:
    make("f")
    arn = "arn:aws:kafka:us-east-1:123456789012:cluster/c/751d2973-a626-431c-9d4e-d7975eb44dd7-2"
    request = {"EventSourceArn": arn, "Topics": ["topic"], "FunctionName": "f", "StartingPosition": "LATEST"}
    assert refused(lambda: functions.create_event_source_mapping(**request))[0] == "NotImplemented"
