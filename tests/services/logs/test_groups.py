"""Log groups and streams, through boto3."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

Client = Callable[..., Any]


@pytest.fixture
def logs(client: Client) -> Any:
    return client("logs")


def test_a_group_is_described_as_aws_does(logs: Any, account: str) -> None:
    logs.create_log_group(logGroupName="/app/a", tags={"team": "x"})

    [group] = logs.describe_log_groups()["logGroups"]

    arn = f"arn:aws:logs:us-east-1:{account}:log-group:/app/a"
    assert group.pop("creationTime") > 1_600_000_000_000
    assert group == {
        "logGroupName": "/app/a",
        "arn": f"{arn}:*",
        "logGroupArn": arn,
        "metricFilterCount": 0,
        "storedBytes": 0,
        "logGroupClass": "STANDARD",
        "deletionProtectionEnabled": False,
    }


def test_names_are_taken_once_per_account_and_region(logs: Any, client: Client) -> None:
    logs.create_log_group(logGroupName="a")
    client("logs", "eu-west-1").create_log_group(logGroupName="a")
    client("logs", account="000000000077").describe_log_groups()
    with pytest.raises(logs.exceptions.ResourceAlreadyExistsException, match="The specified log group already exists"):
        logs.create_log_group(logGroupName="a")


def test_groups_are_found_by_prefix_and_pattern_page_by_page(logs: Any) -> None:
    for name in ("/b/one", "/a/One", "/a/two", "/a/th_ree"):
        logs.create_log_group(logGroupName=name)

    def names(**query: Any) -> list[str]:
        pages = logs.get_paginator("describe_log_groups").paginate(**query, PaginationConfig={"PageSize": 1})
        return [group["logGroupName"] for page in pages for group in page["logGroups"]]

    assert names() == ["/a/One", "/a/th_ree", "/a/two", "/b/one"]
    assert names(logGroupNamePrefix="/a/t") == ["/a/th_ree", "/a/two"]
    assert names(logGroupNamePattern="one") == ["/a/One", "/b/one"]
    assert names(logGroupNamePattern="t_") == []
    with pytest.raises(logs.exceptions.InvalidParameterException, match="mutually exclusive"):
        logs.describe_log_groups(logGroupNamePrefix="a", logGroupNamePattern="b")
    with pytest.raises(logs.exceptions.InvalidParameterException, match="The specified nextToken is invalid"):
        logs.describe_log_groups(nextToken="nonsense")


def test_retention_takes_awss_values_only(logs: Any) -> None:
    logs.create_log_group(logGroupName="a")
    logs.put_retention_policy(logGroupName="a", retentionInDays=7)
    assert logs.describe_log_groups()["logGroups"][0]["retentionInDays"] == 7
    with pytest.raises(logs.exceptions.InvalidParameterException, match="Value '8' at 'retentionInDays'"):
        logs.put_retention_policy(logGroupName="a", retentionInDays=8)
    logs.delete_retention_policy(logGroupName="a")
    assert "retentionInDays" not in logs.describe_log_groups()["logGroups"][0]


def test_both_tag_apis_see_the_same_tags(logs: Any, account: str) -> None:
    logs.create_log_group(logGroupName="a", tags={"one": "1"})
    arn = f"arn:aws:logs:us-east-1:{account}:log-group:a"
    logs.tag_resource(resourceArn=arn, tags={"two": "2"})
    logs.tag_log_group(logGroupName="a", tags={"three": "3"})
    logs.untag_resource(resourceArn=arn, tagKeys=["one"])
    assert logs.list_tags_log_group(logGroupName="a")["tags"] == {"two": "2", "three": "3"}
    logs.untag_log_group(logGroupName="a", tags=["two"])
    assert logs.list_tags_for_resource(resourceArn=arn)["tags"] == {"three": "3"}
    with pytest.raises(logs.exceptions.TooManyTagsException):
        logs.tag_resource(resourceArn=arn, tags={f"k{n}": "" for n in range(50)})


def test_tags_that_are_set_at_the_same_time_are_all_kept(logs: Any, account: str) -> None:
    logs.create_log_group(logGroupName="a")
    arn = f"arn:aws:logs:us-east-1:{account}:log-group:a"
    keys = [f"key-{number}" for number in range(12)]

    def change(key: str) -> None:
        for turn in range(8):
            logs.tag_resource(resourceArn=arn, tags={key: str(turn)})

    with ThreadPoolExecutor(len(keys)) as threads:
        list(threads.map(change, keys))
    assert logs.list_tags_for_resource(resourceArn=arn)["tags"] == dict.fromkeys(keys, "7")


def test_a_protected_group_is_not_deleted(logs: Any) -> None:
    logs.create_log_group(logGroupName="a", deletionProtectionEnabled=True)
    with pytest.raises(logs.exceptions.ValidationException):
        logs.delete_log_group(logGroupName="a")
    logs.put_log_group_deletion_protection(logGroupIdentifier="a", deletionProtectionEnabled=False)
    logs.delete_log_group(logGroupName="a")
    assert logs.describe_log_groups()["logGroups"] == []


def test_a_key_is_shown_until_it_is_taken_away(logs: Any) -> None:
    key = "arn:aws:kms:us-east-1:111122223333:key/11111111-1111-1111-1111-111111111111"
    logs.create_log_group(logGroupName="a", kmsKeyId=key)
    assert logs.describe_log_groups()["logGroups"][0]["kmsKeyId"] == key
    logs.disassociate_kms_key(logGroupName="a")
    assert "kmsKeyId" not in logs.describe_log_groups()["logGroups"][0]


def test_streams_are_listed_by_name_or_by_last_event(logs: Any, account: str) -> None:
    logs.create_log_group(logGroupName="g")
    for name in ("b", "a", "ab"):
        logs.create_log_stream(logGroupName="g", logStreamName=name)
    now = logs.describe_log_groups()["logGroups"][0]["creationTime"]
    logs.put_log_events(logGroupName="g", logStreamName="b", logEvents=[{"timestamp": now + 5, "message": "m"}])
    logs.put_log_events(logGroupName="g", logStreamName="a", logEvents=[{"timestamp": now, "message": "m"}])

    def names(**query: Any) -> list[str]:
        pages = logs.get_paginator("describe_log_streams").paginate(
            logGroupName="g", **query, PaginationConfig={"PageSize": 1}
        )
        return [stream["logStreamName"] for page in pages for stream in page["logStreams"]]

    assert names() == ["a", "ab", "b"]
    assert names(descending=True) == ["b", "ab", "a"]
    assert names(logStreamNamePrefix="a") == ["a", "ab"]
    assert names(orderBy="LastEventTime", descending=True) == ["b", "a", "ab"]
    assert names(orderBy="LastEventTime") == ["ab", "a", "b"]
    [stream] = logs.describe_log_streams(logGroupIdentifier="g", logStreamNamePrefix="b")["logStreams"]
    assert stream["arn"] == f"arn:aws:logs:us-east-1:{account}:log-group:g:log-stream:b"
    assert (stream["firstEventTimestamp"], stream["lastEventTimestamp"]) == (now + 5, now + 5)
    with pytest.raises(logs.exceptions.InvalidParameterException, match="Cannot order by LastEventTime"):
        logs.describe_log_streams(logGroupName="g", orderBy="LastEventTime", logStreamNamePrefix="a")


def test_a_deleted_stream_takes_its_events_along(logs: Any) -> None:
    logs.create_log_group(logGroupName="g")
    logs.create_log_stream(logGroupName="g", logStreamName="s")
    with pytest.raises(logs.exceptions.ResourceAlreadyExistsException, match="The specified log stream already exists"):
        logs.create_log_stream(logGroupName="g", logStreamName="s")
    now = logs.describe_log_groups()["logGroups"][0]["creationTime"]
    logs.put_log_events(logGroupName="g", logStreamName="s", logEvents=[{"timestamp": now, "message": "m"}])
    logs.delete_log_stream(logGroupName="g", logStreamName="s")
    logs.create_log_stream(logGroupName="g", logStreamName="s")
    assert logs.filter_log_events(logGroupName="g")["events"] == []
    assert logs.get_log_events(logGroupName="g", logStreamName="s")["events"] == []


def test_missing_groups_and_streams_are_modelled_errors(logs: Any) -> None:
    missing = logs.exceptions.ResourceNotFoundException
    with pytest.raises(missing, match="The specified log group does not exist"):
        logs.delete_log_group(logGroupName="none")
    with pytest.raises(missing, match="The specified log group does not exist"):
        logs.get_log_events(logGroupName="none", logStreamName="s")
    logs.create_log_group(logGroupName="g")
    with pytest.raises(missing, match="The specified log stream does not exist"):
        logs.get_log_events(logGroupName="g", logStreamName="s")
    with pytest.raises(missing, match="The specified log stream does not exist"):
        logs.filter_log_events(logGroupName="g", logStreamNames=["s"])
