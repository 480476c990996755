"""Queues: making, finding, changing, listing, purging, deleting."""

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.services.sqs.conftest import arn


def test_creating_a_queue_again_with_the_same_attributes_gives_the_same_queue(sqs: Any, queue: str) -> None:
    assert sqs.create_queue(QueueName="jobs")["QueueUrl"] == queue
    assert sqs.create_queue(QueueName="jobs", Attributes={"VisibilityTimeout": "30"})["QueueUrl"] == queue


def test_creating_a_queue_again_with_other_attributes_is_refused(sqs: Any, queue: str) -> None:
    with pytest.raises(sqs.exceptions.QueueNameExists) as caught:
        sqs.create_queue(QueueName="jobs", Attributes={"DelaySeconds": "5"})
    assert caught.value.response["Error"]["Code"] == "QueueAlreadyExists"
    assert "DelaySeconds" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "attributes"),
    [
        ("no spaces", {}),
        ("a" * 81, {}),
        ("jobs.fifo", {}),
        ("jobs", {"FifoQueue": "true"}),
        (".fifo", {"FifoQueue": "true"}),
    ],
)
def test_bad_names_are_refused(sqs: Any, name: str, attributes: dict[str, str]) -> None:
    with pytest.raises(ClientError, match="InvalidParameterValue"):
        sqs.create_queue(QueueName=name, Attributes=attributes)
    assert "QueueUrls" not in sqs.list_queues()


@pytest.mark.parametrize(
    ("attributes", "code"),
    [
        ({"VisibilityTimeout": "43201"}, "InvalidAttributeValue"),
        ({"DelaySeconds": "-1"}, "InvalidAttributeValue"),
        ({"MessageRetentionPeriod": "59"}, "InvalidAttributeValue"),
        ({"MaximumMessageSize": "1048577"}, "InvalidAttributeValue"),
        ({"ReceiveMessageWaitTimeSeconds": "many"}, "InvalidAttributeValue"),
        ({"SqsManagedSseEnabled": "maybe"}, "InvalidAttributeValue"),
        ({"Policy": "{"}, "InvalidAttributeValue"),
        ({"RedrivePolicy": "[]"}, "InvalidParameterValue"),
        ({"QueueArn": "x"}, "InvalidAttributeName"),
        ({"ContentBasedDeduplication": "true"}, "InvalidAttributeName"),
    ],
)
def test_bad_attributes_are_refused_and_change_nothing(
    sqs: Any, queue: str, attributes: dict[str, str], code: str
) -> None:
    before = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    with pytest.raises(ClientError) as caught:
        sqs.set_queue_attributes(QueueUrl=queue, Attributes=attributes)
    assert caught.value.response["Error"]["Code"] == code
    assert sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"] == before


def test_attributes_of_a_new_queue(sqs: Any, queue: str, account: str) -> None:
    attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    assert abs(int(attributes.pop("CreatedTimestamp")) - int(attributes.pop("LastModifiedTimestamp"))) == 0
    assert attributes == {
        "ApproximateNumberOfMessages": "0",
        "ApproximateNumberOfMessagesDelayed": "0",
        "ApproximateNumberOfMessagesNotVisible": "0",
        "DelaySeconds": "0",
        "MaximumMessageSize": "1048576",
        "MessageRetentionPeriod": "345600",
        "QueueArn": f"arn:aws:sqs:us-east-1:{account}:jobs",
        "ReceiveMessageWaitTimeSeconds": "0",
        "SqsManagedSseEnabled": "true",
        "VisibilityTimeout": "30",
    }


def test_one_kind_of_encryption_at_a_time(sqs: Any, queue: str) -> None:
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"KmsMasterKeyId": "alias/mine"})
    names = ["KmsMasterKeyId", "SqsManagedSseEnabled"]
    shown = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
    assert shown == {"KmsMasterKeyId": "alias/mine", "SqsManagedSseEnabled": "false"}
    with pytest.raises(ClientError, match="one type of server-side encryption"):
        sqs.set_queue_attributes(QueueUrl=queue, Attributes={"KmsMasterKeyId": "k", "SqsManagedSseEnabled": "true"})


def test_an_unknown_attribute_name_is_refused(sqs: Any, queue: str) -> None:
    with pytest.raises(sqs.exceptions.InvalidAttributeName):
        sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["Colour"])


def test_a_missing_queue_is_a_modelled_error(sqs: Any, queue: str) -> None:
    with pytest.raises(sqs.exceptions.QueueDoesNotExist) as caught:
        sqs.send_message(QueueUrl=f"{queue}-not", MessageBody="hello")
    assert caught.value.response["Error"]["Code"] == "AWS.SimpleQueueService.NonExistentQueue"
    with pytest.raises(sqs.exceptions.QueueDoesNotExist):
        sqs.get_queue_url(QueueName="other")


def test_a_queue_is_found_by_any_form_of_its_address(sqs: Any, queue: str, account: str) -> None:
    for url in (
        f"https://sqs.us-east-1.amazonaws.com/{account}/jobs",
        f"http://elsewhere:1234/{account}/jobs",
        f"http://elsewhere:1234/queue/us-east-1/{account}/jobs",
        f"{account}/jobs",
        "jobs",
    ):
        assert arn(sqs, url) == f"arn:aws:sqs:us-east-1:{account}:jobs"


def test_the_same_name_in_two_regions_is_two_queues(client: Callable[..., Any], queue: str) -> None:
    there = client("sqs", region="eu-west-1")
    url = there.create_queue(QueueName="jobs")["QueueUrl"]
    there.send_message(QueueUrl=url, MessageBody="there")
    assert "Messages" not in client("sqs").receive_message(QueueUrl=queue)
    assert there.receive_message(QueueUrl=url)["Messages"][0]["Body"] == "there"


def test_listing_in_pages_by_prefix(sqs: Any) -> None:
    for name in ("b-1", "a-2", "a-1", "a-3"):
        sqs.create_queue(QueueName=name)
    first = sqs.list_queues(QueueNamePrefix="a-", MaxResults=2)
    rest = sqs.list_queues(QueueNamePrefix="a-", MaxResults=2, NextToken=first["NextToken"])
    names = [url.rpartition("/")[2] for url in first["QueueUrls"] + rest["QueueUrls"]]
    assert names == ["a-1", "a-2", "a-3"]
    assert "NextToken" not in rest
    with pytest.raises(ClientError, match="InvalidParameterValue"):
        sqs.list_queues(MaxResults=1, NextToken="?")


def test_a_deleted_queues_name_is_free_after_a_minute(sqs: Any, queue: str, advance: Callable[[float], None]) -> None:
    sqs.send_message(QueueUrl=queue, MessageBody="hello")
    sqs.delete_queue(QueueUrl=queue)
    with pytest.raises(sqs.exceptions.QueueDeletedRecently):
        sqs.create_queue(QueueName="jobs")

    advance(61)

    url = sqs.create_queue(QueueName="jobs")["QueueUrl"]
    assert "Messages" not in sqs.receive_message(QueueUrl=url)


def test_purging_empties_a_queue_once_a_minute(
    sqs: Any, queue: str, bodies: Callable[..., list[str]], advance: Callable[[float], None]
) -> None:
    for body in ("a", "b"):
        sqs.send_message(QueueUrl=queue, MessageBody=body)
    bodies(queue, 1)
    sqs.purge_queue(QueueUrl=queue)
    sqs.send_message(QueueUrl=queue, MessageBody="after")
    with pytest.raises(sqs.exceptions.PurgeQueueInProgress):
        sqs.purge_queue(QueueUrl=queue)

    advance(61)

    assert bodies(queue) == ["after"]
    sqs.purge_queue(QueueUrl=queue)


def test_tags(sqs: Any) -> None:
    url = sqs.create_queue(QueueName="tagged", tags={"team": "blue"})["QueueUrl"]
    sqs.tag_queue(QueueUrl=url, Tags={"team": "red", "stage": ""})
    assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"team": "red", "stage": ""}
    sqs.untag_queue(QueueUrl=url, TagKeys=["team", "missing"])
    assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"stage": ""}
    with pytest.raises(ClientError, match="Too many tags"):
        sqs.tag_queue(QueueUrl=url, Tags={str(number): "" for number in range(50)})


def test_permissions_are_statements_of_the_policy(sqs: Any, queue: str, account: str) -> None:
    sqs.add_permission(QueueUrl=queue, Label="read", AWSAccountIds=[account], Actions=["ReceiveMessage"])
    policy = json.loads(sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["Policy"])["Attributes"]["Policy"])
    assert policy["Statement"] == [
        {
            "Sid": "read",
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
            "Action": "SQS:ReceiveMessage",
            "Resource": arn(sqs, queue),
        }
    ]
    with pytest.raises(ClientError, match="Already exists"):
        sqs.add_permission(QueueUrl=queue, Label="read", AWSAccountIds=[account], Actions=["SendMessage"])
    with pytest.raises(ClientError, match="Only the queue owner"):
        sqs.add_permission(QueueUrl=queue, Label="own", AWSAccountIds=[account], Actions=["DeleteQueue"])
    sqs.remove_permission(QueueUrl=queue, Label="read")
    assert "Attributes" not in sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["Policy"])
    with pytest.raises(ClientError, match="can't find label"):
        sqs.remove_permission(QueueUrl=queue, Label="read")


def test_changes_made_at_once_are_all_kept(client: Callable[..., Any], sqs: Any, queue: str) -> None:
    def tag(number: int) -> None:
        client("sqs").tag_queue(QueueUrl=queue, Tags={str(number): "x"})

    taggers = [threading.Thread(target=tag, args=(number,)) for number in range(6)]
    for tagger in taggers:
        tagger.start()
    for tagger in taggers:
        tagger.join(60)
    assert set(sqs.list_queue_tags(QueueUrl=queue)["Tags"]) == {"0", "1", "2", "3", "4", "5"}


@pytest.mark.parametrize("policy", ['{"Statement": ["x"]}', '{"Statement": 1}', "[" * 5000])
def test_policies_that_are_none_are_refused(sqs: Any, queue: str, policy: str) -> None:
    with pytest.raises(sqs.exceptions.InvalidAttributeValue):
        sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    with pytest.raises(ClientError, match="InvalidParameterValue"):
        sqs.set_queue_attributes(QueueUrl=queue, Attributes={"RedrivePolicy": policy})
