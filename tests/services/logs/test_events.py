"""Putting, getting and filtering events, through boto3."""

import json
from collections.abc import Callable
from typing import Any

import pytest

DAY = 86_400_000


class Stream:
    """A stream in a group of its own, and the time it was made (milliseconds)."""

    def __init__(self, logs: Any) -> None:
        self.logs = logs
        logs.create_log_group(logGroupName="g")
        self.now = logs.describe_log_groups()["logGroups"][0]["creationTime"]
        self.add("s")

    def add(self, name: str) -> None:
        self.logs.create_log_stream(logGroupName="g", logStreamName=name)

    def put(self, *events: tuple[int, str], stream: str = "s") -> Any:
        """Events as (milliseconds after now, message)."""
        return self.logs.put_log_events(
            logGroupName="g",
            logStreamName=stream,
            logEvents=[{"timestamp": self.now + time, "message": message} for time, message in events],
        )

    def get(self, **query: Any) -> Any:
        return self.logs.get_log_events(logGroupName="g", logStreamName="s", **query)

    def filter(self, **query: Any) -> list[str]:
        pages = self.logs.get_paginator("filter_log_events").paginate(logGroupName="g", **query)
        return [event["message"] for page in pages for event in page["events"]]


@pytest.fixture
def stream(client: Callable[..., Any]) -> Stream:
    return Stream(client("logs"))


def _messages(answer: Any) -> list[str]:
    return [event["message"] for event in answer["events"]]


def test_events_come_back_in_order_with_their_times(stream: Stream) -> None:
    answer = stream.put((0, "a"), (0, "b"), (5, "c"))
    assert len(answer["nextSequenceToken"]) == 56
    assert "rejectedLogEventsInfo" not in answer
    stream.put((2, "between"))

    events = stream.get(startFromHead=True)["events"]

    assert [(event["timestamp"] - stream.now, event["message"]) for event in events] == [
        (0, "a"),
        (0, "b"),
        (2, "between"),
        (5, "c"),
    ]
    assert all(event["ingestionTime"] >= stream.now for event in events)


def test_tokens_walk_both_ways_and_stay_at_the_ends(stream: Stream) -> None:
    stream.put(*[(n, str(n)) for n in range(5)])

    page = stream.get(limit=2)
    assert _messages(page) == ["3", "4"]
    back = stream.get(limit=2, nextToken=page["nextBackwardToken"])
    assert _messages(back) == ["1", "2"]
    start = stream.get(limit=2, nextToken=back["nextBackwardToken"])
    assert _messages(start) == ["0"]
    beyond = stream.get(limit=2, nextToken=start["nextBackwardToken"])
    assert beyond["events"] == []
    assert beyond["nextBackwardToken"] == start["nextBackwardToken"]
    assert _messages(stream.get(limit=2, nextToken=beyond["nextForwardToken"])) == ["0", "1"]

    end = stream.get(nextToken=page["nextForwardToken"], startFromHead=True)
    assert end["events"] == []
    assert end["nextForwardToken"] == page["nextForwardToken"]
    stream.put((9, "new"))
    assert _messages(stream.get(nextToken=end["nextForwardToken"], startFromHead=True)) == ["new"]


def test_an_empty_stream_can_be_followed_from_its_beginning(stream: Stream) -> None:
    token = stream.get()["nextForwardToken"]
    assert stream.get(nextToken=token)["nextForwardToken"] == token
    stream.put((0, "first"))
    assert _messages(stream.get(nextToken=token)) == ["first"]


def test_a_time_range_includes_its_start_and_not_its_end(stream: Stream) -> None:
    stream.put(*[(n, str(n)) for n in range(5)])
    assert _messages(stream.get(startTime=stream.now + 1, endTime=stream.now + 3)) == ["1", "2"]
    assert stream.filter(startTime=stream.now + 1, endTime=stream.now + 3) == ["1", "2", "3"]


def test_bad_tokens_and_limits_are_refused(stream: Stream) -> None:
    invalid = stream.logs.exceptions.InvalidParameterException
    for token in ("invalid-token", "f/1/s", "f/" + "9" * 56 + "/s"):
        with pytest.raises(invalid, match="The specified nextToken is invalid"):
            stream.get(nextToken=token)
        with pytest.raises(invalid, match="The specified nextToken is invalid"):
            stream.logs.filter_log_events(logGroupName="g", nextToken=token)
    with pytest.raises(invalid, match="less than or equal to 10000"):
        stream.get(limit=10_001)


def test_a_batch_out_of_order_is_refused_whole(stream: Stream) -> None:
    with pytest.raises(stream.logs.exceptions.InvalidParameterException, match="must be in chronological order"):
        stream.put((1, "b"), (0, "a"))
    assert stream.filter() == []


def test_events_too_old_and_too_new_are_rejected_and_the_rest_kept(stream: Stream) -> None:
    answer = stream.put((-15 * DAY, "old"), (-DAY + 60_000, "yesterday"), (0, "now"))
    assert answer["rejectedLogEventsInfo"] == {"tooOldLogEventEndIndex": 1}
    answer = stream.put((0, "again"), (3 * 3_600_000, "future"))
    assert answer["rejectedLogEventsInfo"] == {"tooNewLogEventStartIndex": 1}
    stream.logs.put_retention_policy(logGroupName="g", retentionInDays=1)
    answer = stream.put((-2 * DAY, "expired"), (0, "fresh"))
    assert answer["rejectedLogEventsInfo"] == {"expiredLogEventEndIndex": 1}
    assert stream.filter() == ["yesterday", "now", "again", "fresh"]


def test_batches_have_awss_limits(stream: Stream) -> None:
    invalid = stream.logs.exceptions.InvalidParameterException
    with pytest.raises(invalid, match="Upload too large: 1048602 bytes exceeds limit of 1048576"):
        stream.put((0, "x" * 1_048_576))
    with pytest.raises(invalid, match="cannot span more than 24 hours"):
        stream.put((-2 * DAY, "a"), (0, "b"))
    with pytest.raises(invalid):
        stream.put(*[(0, "x")] * 10_001)
    stream.put(*[(0, "x")] * 10_000)
    assert len(stream.filter()) == 10_000


def test_a_page_holds_a_megabyte(stream: Stream) -> None:
    for number in range(3):
        stream.put((number, str(number) + "x" * 600_000))
    assert [message[0] for message in _messages(stream.get(startFromHead=True))] == ["0"]
    assert [message[0] for message in _messages(stream.get())] == ["2"]
    assert [message[0] for message in stream.filter()] == ["0", "1", "2"]


def test_a_filter_interleaves_streams_by_time(stream: Stream) -> None:
    stream.add("other")
    stream.put((0, "s0"), (2, "s2"))
    stream.put((1, "o1"), (3, "o3"), stream="other")
    assert stream.filter() == ["s0", "o1", "s2", "o3"]
    assert stream.filter(PaginationConfig={"PageSize": 1}) == ["s0", "o1", "s2", "o3"]
    assert stream.filter(startFromHead=False, PaginationConfig={"PageSize": 3}) == ["o3", "s2", "o1", "s0"]
    assert stream.filter(logStreamNames=["other"]) == ["o1", "o3"]
    assert stream.filter(logStreamNamePrefix="oth", PaginationConfig={"PageSize": 1}) == ["o1", "o3"]
    assert stream.filter(filterPattern="?s2 ?o1") == ["o1", "s2"]
    [event] = stream.logs.filter_log_events(logGroupName="g", filterPattern="o3")["events"]
    assert event["logStreamName"] == "other"
    assert len(event["eventId"]) == 56


def test_a_rare_event_is_found_among_many(stream: Stream) -> None:
    for batch in range(3):
        stream.put(*[(batch, "common")] * 9_000)
    stream.put((5, "needle"))
    assert stream.filter(filterPattern="needle") == ["needle"]


def test_a_bad_pattern_is_refused(stream: Stream) -> None:
    with pytest.raises(stream.logs.exceptions.InvalidParameterException, match="Invalid filter pattern"):
        stream.logs.filter_log_events(logGroupName="g", filterPattern="{ $.a = ")


def test_a_pattern_can_be_tried(stream: Stream) -> None:
    messages = [json.dumps({"level": "error", "n": 1}), json.dumps({"level": "info"}), "text"]
    answer = stream.logs.test_metric_filter(filterPattern="{ $.level = error }", logEventMessages=messages)
    assert answer["matches"] == [
        {"eventNumber": 1, "eventMessage": messages[0], "extractedValues": {"$.level": "error"}}
    ]


def test_retention_ends_with_the_clock(start_node: Callable[..., Any], account: str) -> None:
    node = start_node()
    stream = Stream(node.client("logs", account))
    stream.put((0, "old"))
    stream.logs.put_retention_policy(logGroupName="g", retentionInDays=1)
    assert stream.filter() == ["old"]
    node.post("/_cumulet/clock", {"advance": 86_400 + 60})
    assert stream.filter() == []
    assert stream.get()["events"] == []
    node.stop()


def test_what_was_put_survives_a_crash(start_node: Callable[..., Any], account: str) -> None:
    node = start_node()
    stream = Stream(node.client("logs", account))
    stream.put((0, "kept"))
    node.kill()
    node.start()
    stream.logs = node.client("logs", account)
    assert stream.filter() == ["kept"]
    node.stop()
