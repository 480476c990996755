"""Kinesis's older CBOR: awsJson's headers, bodies in CBOR, moments in milliseconds."""

import contextlib
from datetime import UTC, datetime
from typing import Any

import cbor2
import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from cumulet.kernel.errors import AwsError
from cumulet.wire.amz_cbor import CONTENT_TYPE, parse


def send(endpoint: str, account: str, operation: str, content: bytes) -> tuple[int, bytes]:
    """An answer's status and body."""
    headers = {"Content-Type": CONTENT_TYPE, "X-Amz-Target": f"Kinesis_20131202.{operation}"}
    request = AWSRequest("POST", f"{endpoint}/", data=content, headers=headers)
    SigV4Auth(Credentials(account, "test"), "kinesis", "us-east-1").add_auth(request)
    answer = urllib3.request("POST", f"{endpoint}/", body=content, headers=dict(request.headers), timeout=100)
    assert answer.headers["Content-Type"] == CONTENT_TYPE
    return answer.status, answer.data


def call(endpoint: str, account: str, operation: str, **members: Any) -> Any:
    status, body = send(endpoint, account, operation, cbor2.dumps(members))
    assert status == 200, body
    return cbor2.loads(body, semantic_decoders={1: lambda value, _: cbor2.CBORTag(1, value)}) if body else None


def test_a_stream_is_used_in_cbor(endpoint: str, account: str) -> None:
    call(endpoint, account, "CreateStream", StreamName="s", ShardCount=1)
    described = call(endpoint, account, "DescribeStreamSummary", StreamName="s")["StreamDescriptionSummary"]
    created = described["StreamCreationTimestamp"]
    assert isinstance(created.value, int)
    assert datetime.fromtimestamp(created.value / 1000, UTC).year >= 2026
    put = call(endpoint, account, "PutRecord", StreamName="s", Data=b"\x00\xff", PartitionKey="a")
    place = call(
        endpoint,
        account,
        "GetShardIterator",
        StreamName="s",
        ShardId="shardId-000000000000",
        ShardIteratorType="AT_TIMESTAMP",
        Timestamp=created,
    )
    [record] = call(endpoint, account, "GetRecords", ShardIterator=place["ShardIterator"])["Records"]
    assert (record["Data"], record["SequenceNumber"]) == (b"\x00\xff", put["SequenceNumber"])
    assert created.value <= record["ApproximateArrivalTimestamp"].value


def test_errors_are_in_cbor(endpoint: str, account: str) -> None:
    status, body = send(endpoint, account, "DescribeStream", cbor2.dumps({"StreamName": "nobody"}))
    assert status == 400
    assert cbor2.loads(body) == {
        "__type": "ResourceNotFoundException",
        "message": f"Stream nobody under account {account} not found.",
    }
    for content in (b"\xff", b"{}", cbor2.dumps({"StreamName": 5}), cbor2.dumps({}) + b"x"):
        status, body = send(endpoint, account, "DescribeStream", content)
        assert (status, cbor2.loads(body)["__type"]) == (400, "SerializationException")


@given(st.binary(max_size=80))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    with contextlib.suppress(AwsError):
        parse(content)
