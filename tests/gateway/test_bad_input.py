"""What a client gets for requests that cannot be: AWS's own error, nothing changed, and a connection that goes on."""

import datetime as dt
import http.client
import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

REGION = "us-east-1"


@pytest.fixture
def connection(endpoint: str) -> Iterator[http.client.HTTPConnection]:
    """One connection that every request of a test uses, so that it must have stayed usable."""
    address = urlsplit(endpoint)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)
    yield connection
    connection.close()


def _authorization(account: str, service: str, *signed: str) -> dict[str, str]:
    """Enough of a signature for a development key, which passes with any secret; `signed` are further headers."""
    now = dt.datetime.now(dt.UTC)
    scope = f"{account}/{now:%Y%m%d}/{REGION}/{service}/aws4_request"
    names = ";".join(sorted({"host", "x-amz-date", *(name.lower() for name in signed)}))
    signature = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders={names}, Signature={'0' * 64}"
    return {"Authorization": signature, "X-Amz-Date": f"{now:%Y%m%dT%H%M%SZ}"}


def _ask(
    connection: http.client.HTTPConnection, method: str, path: str, body: bytes = b"", **headers: Any
) -> tuple[int, dict[str, str], bytes]:
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()


def _json_call(
    connection: http.client.HTTPConnection, account: str, target: str, body: bytes, service: str = "sqs"
) -> tuple[int, dict[str, Any]]:
    headers = {"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.0", **_authorization(account, service)}
    status, _, answer = _ask(connection, "POST", "/", body, **headers)
    return status, json.loads(answer)


def test_an_unknown_json_operation(connection: http.client.HTTPConnection, account: str) -> None:
    status, answer = _json_call(connection, account, "AmazonSQS.Nope", b"{}")
    assert status == 400
    assert answer["__type"].rpartition("#")[2] == "UnknownOperationException"
    assert _json_call(connection, account, "AmazonSQS.ListQueues", b"{}")[0] == 200


def test_an_unknown_service(connection: http.client.HTTPConnection, account: str) -> None:
    status, answer = _json_call(connection, account, "NoSuchService_2020.Do", b"{}", "nosuchservice")
    assert status in (400, 501)
    assert answer["__type"].rpartition("#")[2] in ("UnknownOperationException", "NotImplemented")
    assert _json_call(connection, account, "AmazonSQS.ListQueues", b"{}")[0] == 200


def test_an_operation_that_is_not_there_yet_says_so(client: Callable[..., Any]) -> None:
    with pytest.raises(ClientError) as caught:
        client("firehose").list_delivery_streams()
    assert caught.value.response["Error"]["Code"] == "NotImplemented"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501
    with pytest.raises(ClientError) as caught:
        client("logs").start_query(logGroupName="g", startTime=0, endTime=1, queryString="fields @message")
    assert caught.value.response["Error"]["Code"] == "NotImplemented"


def test_an_unknown_query_action(connection: http.client.HTTPConnection, account: str) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    status, _, answer = _ask(
        connection, "POST", "/", b"Action=Nope&Version=2010-05-08", **form, **_authorization(account, "iam")
    )
    assert status == 400
    assert b"<Code>InvalidAction</Code>" in answer
    assert b"<Type>Sender</Type>" in answer
    body = b"Action=ListUsers&Version=2010-05-08"
    assert _ask(connection, "POST", "/", body, **form, **_authorization(account, "iam"))[0] == 200


@pytest.mark.parametrize("body", [b"{", b"[1]", b'"x"', b"\xff\xfe", b'{"QueueName": "a"', b"null nul"])
def test_malformed_json(connection: http.client.HTTPConnection, account: str, body: bytes) -> None:
    status, answer = _json_call(connection, account, "AmazonSQS.CreateQueue", body)
    assert status == 400
    assert answer["__type"].rpartition("#")[2] == "SerializationException"
    assert _json_call(connection, account, "AmazonSQS.ListQueues", b"{}") == (200, {})


@pytest.mark.parametrize(
    "body", [b'{"QueueName": 5}', b'{"QueueName": ["a"]}', b'{"QueueName": "a", "Attributes": []}']
)
def test_wrong_types_in_json(connection: http.client.HTTPConnection, account: str, body: bytes) -> None:
    status, answer = _json_call(connection, account, "AmazonSQS.CreateQueue", body)
    assert status == 400
    assert answer["__type"].rpartition("#")[2] == "SerializationException"
    assert _json_call(connection, account, "AmazonSQS.ListQueues", b"{}") == (200, {})


@pytest.mark.parametrize("body", [b"<Delete>", b"not xml", b"<!DOCTYPE a [<!ENTITY b 'c'>]><Delete>&b;</Delete>"])
def test_malformed_xml(
    connection: http.client.HTTPConnection, client: Callable[..., Any], account: str, body: bytes
) -> None:
    bucket = f"bad-xml-{account}"
    client("s3").create_bucket(Bucket=bucket)
    client("s3").put_object(Bucket=bucket, Key="kept", Body=b"x")
    headers = _authorization(account, "s3") | {"X-Amz-Content-Sha256": "UNSIGNED-PAYLOAD"}
    status, _, answer = _ask(connection, "POST", f"/{bucket}?delete", body, **headers)
    assert status == 400
    assert b"<Code>MalformedXML</Code>" in answer or b"<Code>MissingRequestBodyError</Code>" in answer
    assert client("s3").head_object(Bucket=bucket, Key="kept")["ContentLength"] == 1
    assert _ask(connection, "GET", f"/{bucket}", b"", **headers)[0] == 200


def test_malformed_cbor(connection: http.client.HTTPConnection, account: str) -> None:
    headers: dict[str, Any] = {
        "Smithy-Protocol": "rpc-v2-cbor",
        "Content-Type": "application/cbor",
        "Accept": "application/cbor",
        **_authorization(account, "monitoring"),
    }
    path = "/service/GraniteServiceVersion20100801/operation/ListMetrics"
    status, answered, _ = _ask(connection, "POST", path, b"\xbf\x61", **headers)
    assert status == 400
    assert answered["content-type"] == "application/cbor"
    assert _json_call(connection, account, "AmazonSQS.ListQueues", b"{}")[0] == 200


@pytest.fixture
def user_key(client: Callable[..., Any]) -> tuple[str, str]:
    """A real access key, whose signatures are checked."""
    iam = client("iam")
    iam.create_user(UserName="signer")
    key = iam.create_access_key(UserName="signer")["AccessKey"]
    return key["AccessKeyId"], key["SecretAccessKey"]


def test_the_right_signature_passes_and_a_wrong_one_does_not(
    client: Callable[..., Any], user_key: tuple[str, str]
) -> None:
    access_key, secret = user_key
    right = {"aws_access_key_id": access_key, "aws_secret_access_key": secret}
    wrong = {"aws_access_key_id": access_key, "aws_secret_access_key": "not-the-secret"}
    assert client("sts", **right).get_caller_identity()["Arn"].endswith(":user/signer")
    refusals: list[tuple[str, Callable[[Any], Any], str]] = [
        ("sts", lambda sts: sts.get_caller_identity(), "SignatureDoesNotMatch"),
        ("s3", lambda s3: s3.list_buckets(), "SignatureDoesNotMatch"),
        ("sqs", lambda sqs: sqs.create_queue(QueueName="never"), "InvalidSignatureException"),
        ("lambda", lambda functions: functions.list_functions(), "InvalidSignatureException"),
    ]
    for service, call, code in refusals:
        with pytest.raises(ClientError) as caught:
            call(client(service, **wrong))
        assert caught.value.response["Error"]["Code"] == code
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] in (400, 403)
    assert "QueueUrls" not in client("sqs").list_queues()


def test_an_unknown_key(client: Callable[..., Any]) -> None:
    unknown = {"aws_access_key_id": "AKIAIOSFODNN7EXAMPLE", "aws_secret_access_key": "x"}
    refusals: list[tuple[str, Callable[[Any], Any], str]] = [
        ("sts", lambda sts: sts.get_caller_identity(), "InvalidClientTokenId"),
        ("s3", lambda s3: s3.list_buckets(), "InvalidAccessKeyId"),
        ("lambda", lambda functions: functions.list_functions(), "UnrecognizedClientException"),
    ]
    for service, call, code in refusals:
        with pytest.raises(ClientError) as caught:
            call(client(service, **unknown))
        assert caught.value.response["Error"]["Code"] == code
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


@pytest.mark.parametrize("minutes", [-20, 20])
def test_a_date_too_far_from_now(
    connection: http.client.HTTPConnection, endpoint: str, user_key: tuple[str, str], minutes: int
) -> None:
    def skewed() -> dt.datetime:
        return dt.datetime.now(dt.UTC) + dt.timedelta(minutes=minutes)

    for service, expected in (("s3", b"RequestTimeTooSkewed"), ("iam", b"SignatureDoesNotMatch")):
        body = "" if service == "s3" else "Action=ListUsers&Version=2010-05-08"
        method = "GET" if service == "s3" else "POST"
        headers = {} if service == "s3" else {"Content-Type": "application/x-www-form-urlencoded"}
        request = AWSRequest(method, endpoint + "/", data=body, headers=headers)
        signer: Any = botocore.auth.S3SigV4Auth if service == "s3" else botocore.auth.SigV4Auth
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(botocore.auth, "get_current_datetime", skewed)
            signer(Credentials(*user_key), service, REGION).add_auth(request)
        prepared = request.prepare()
        status, _, answer = _ask(connection, method, "/", body.encode(), **dict(prepared.headers))
        assert status == 403
        assert expected in answer


def test_a_header_too_large_is_refused_and_the_node_goes_on(endpoint: str, client: Callable[..., Any]) -> None:
    address = urlsplit(endpoint)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)
    connection.request("GET", "/", headers={"X-Padding": "x" * 200_000})
    assert connection.getresponse().status in (400, 431)
    connection.close()
    assert client("sts").get_caller_identity()["Account"]


def test_a_body_too_large(connection: http.client.HTTPConnection, account: str) -> None:
    headers = {"X-Amz-Target": "AmazonSQS.CreateQueue", **_authorization(account, "sqs")}
    connection.putrequest("POST", "/")
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.putheader("Content-Length", str(10**12))
    connection.endheaders()
    answer = connection.getresponse()
    assert answer.status == 413
    connection.close()
    assert _json_call(connection, account, "AmazonSQS.ListQueues", b"{}") == (200, {})


def test_a_form_too_large(connection: http.client.HTTPConnection, account: str) -> None:
    connection.putrequest("POST", "/")
    for name, value in _authorization(account, "iam").items():
        connection.putheader(name, value)
    connection.putheader("Content-Length", str(10**12))
    connection.endheaders()
    answer = connection.getresponse()
    assert answer.status == 413
    assert b"<Code>RequestEntityTooLarge</Code>" in answer.read()
    connection.close()


def test_a_truncated_chunk_changes_nothing(endpoint: str, client: Callable[..., Any], account: str) -> None:
    s3 = client("s3")
    bucket = f"truncated-{account}"
    s3.create_bucket(Bucket=bucket)
    address = urlsplit(endpoint)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)
    framing = {
        "X-Amz-Content-Sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "X-Amz-Decoded-Content-Length": "10",
        "X-Amz-Trailer": "x-amz-checksum-crc32",
        "Content-Encoding": "aws-chunked",
    }
    headers = framing | _authorization(account, "s3", *framing)
    status, _, answer = _ask(connection, "PUT", f"/{bucket}/half", b"a\r\n12345", **headers)
    connection.close()
    assert status == 400
    assert b"<Code>IncompleteBody</Code>" in answer
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def test_the_clock_is_not_for_other_sites_nor_for_nonsense(
    connection: http.client.HTTPConnection, client: Callable[..., Any]
) -> None:
    path = "/_cumulet/clock"
    assert _ask(connection, "POST", path, b'{"advance": 1}', Sec_Fetch_Site="cross-site")[0] == 403
    for body in (
        b"",
        b"{",
        b'{"advance": "x"}',
        b'{"advance": -1}',
        b'{"back": 1}',
        b"x" * 10_000,
        b'{"\xff": 1}',
        b"[" * 4000,
    ):
        assert _ask(connection, "POST", path, body)[0] == 400
    for last in ("%C2%B2", "9" * 5000, "-1"):
        assert _ask(connection, "GET", f"/_cumulet/calls?last={last}")[0] == 400
    status, _, answer = _ask(connection, "GET", "/_localstack/health")
    assert status == 200
    assert {"lambda", "s3", "sqs", "sts", "iam", "logs"} <= set(json.loads(answer)["services"])
