"""What is kept of streams: checkpoints in a database, and the record of what was given up."""

import asyncio
import json
from pathlib import Path

from cumulet.api.lambda_ import EventSourceMappingConfiguration
from cumulet.compute import Outcome
from cumulet.services.lambda_.sources.checkpoints import RETRIES, Discard, failure_record, whole_records
from cumulet.services.lambda_.sources.mapping import Mapping
from cumulet.services.lambda_.sources.port import Record
from cumulet.services.lambda_.sources.store import SCHEMA, MappingStore
from cumulet.services.lambda_.tag_store import SCHEMA as TAGS
from cumulet.services.lambda_.tag_store import TagStore
from cumulet.storage.sqlite import SqliteDatabase

ARN = "arn:aws:kinesis:us-east-1:111111111111:stream/s"
MAPPING = Mapping(
    account="111111111111",
    region="us-east-1",
    name="f",
    configuration=EventSourceMappingConfiguration(uuid="u", event_source_arn=ARN, state="Enabled"),
)


def test_checkpoints_are_kept_by_shard_and_go_with_their_mapping(tmp_path: Path) -> None:
    async def story() -> None:
        db = SqliteDatabase(tmp_path / "records.db")
        await db.migrate("sources", SCHEMA)
        await db.migrate("tags", TAGS)
        store = MappingStore(db, TagStore(db))
        await store.put(MAPPING)
        await store.checkpoint("u", "a", b"1")
        await store.checkpoint("u", "b", b"2")
        await store.checkpoint("u", "a", b"3")
        assert await store.checkpoints("u") == {"a": b"3", "b": b"2"}
        assert await store.checkpoints("other") == {}
        assert await store.get("u") == MAPPING
        await store.delete(MAPPING)
        assert await store.checkpoints("u") == {}
        assert await store.get("u") is None
        await db.close()

    asyncio.run(story())


def test_the_record_of_what_was_given_up_is_as_on_aws() -> None:
    records = [Record("1", 0.0, "k", b'{"a":1}')]
    outcome = Outcome(payload=b"{}", environment_id="", cold=False, duration=0.0, max_memory=0, error="handled")
    discard = Discard(
        shard="s-1", records=records, condition=RETRIES, attempts=4, outcome=outcome, version="3", request_id="r"
    )
    info = {"shardId": "s-1", "batchSize": 1}
    document = json.loads(failure_record(MAPPING, discard, "KinesisBatchInfo", info, 0.0))
    assert document == {
        "requestContext": {
            "requestId": "r",
            "functionArn": "arn:aws:lambda:us-east-1:111111111111:function:f",
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": 4,
        },
        "responseContext": {"statusCode": 200, "executedVersion": "3", "functionError": "Unhandled"},
        "version": "1.0",
        "timestamp": "1970-01-01T00:00:00.000Z",
        "KinesisBatchInfo": info,
    }
    whole = json.loads(failure_record(MAPPING, discard, "KinesisBatchInfo", info, 0.0, whole_records("s-1", records)))
    assert whole["payload"] == {"Records": [{"a": 1}]}
