"""A cluster that answers what no cluster should: its mapping has the problem, the node has none."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.delivery.kafka.odd import TOPIC, OddCluster, batch, running
from tests.services.lambda_.sources.conftest import until
from tests.services.lambda_.sources.kafka.conftest import source

pytestmark = pytest.mark.timeout(300)


def test_a_batch_that_says_it_unpacks_to_gigabytes(functions: Any, make: Callable[..., Any]) -> None:
    make("f")
    snappy = b"\xff\xff\xff\xff\x07\0\0"
    with running(OddCluster(batch(snappy, 2))) as cluster:
        uuid = functions.create_event_source_mapping(
            **source(cluster.address), Topics=[TOPIC], FunctionName="f", StartingPosition="TRIM_HORIZON"
        )["UUID"]
        result = until(
            lambda: (
                (found := functions.get_event_source_mapping(UUID=uuid)["LastProcessingResult"]).startswith("PROBLEM")
                and found
            )
        )
        assert "memory" in result
        functions.delete_event_source_mapping(UUID=uuid)
        until(lambda: not functions.list_event_source_mappings(FunctionName="f")["EventSourceMappings"])
    assert functions.invoke(FunctionName="f")["StatusCode"] == 200
