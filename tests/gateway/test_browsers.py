"""CORS and uploads by form, as browsers do them."""

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

ORIGIN = "https://example.com"


@pytest.fixture
def s3(client: Callable[..., Any]) -> Any:
    return client("s3")


@pytest.fixture
def bucket(s3: Any, account: str) -> str:
    name = f"browser-{account}"
    s3.create_bucket(Bucket=name)
    return name


def send(
    url: str, method: str, headers: dict[str, str], body: bytes | None = None
) -> tuple[int, dict[str, str], bytes]:
    request = urllib.request.Request(url, body, headers, method=method)
    try:
        with urllib.request.build_opener(NoRedirect()).open(request, timeout=60) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read()


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def test_a_preflight_is_answered_by_the_buckets_rules(s3: Any, bucket: str, endpoint: str) -> None:
    url = f"{endpoint}/{bucket}/key"
    ask = {"Origin": ORIGIN, "Access-Control-Request-Method": "PUT"}
    status, _, body = send(url, "OPTIONS", ask)
    assert (status, b"CORS is not enabled" in body) == (403, True)
    rule = {
        "AllowedOrigins": ["https://*.com"],
        "AllowedMethods": ["PUT", "GET"],
        "AllowedHeaders": ["x-amz-*"],
        "ExposeHeaders": ["ETag"],
        "MaxAgeSeconds": 60,
    }
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [rule]})
    status, headers, _ = send(url, "OPTIONS", {**ask, "Access-Control-Request-Headers": "X-Amz-Date"})
    assert status == 200
    assert headers["Access-Control-Allow-Origin"] == ORIGIN
    assert headers["Access-Control-Allow-Methods"] == "PUT, GET"
    assert headers["Access-Control-Allow-Headers"] == "x-amz-date"
    assert headers["Access-Control-Max-Age"] == "60"
    for refused in (
        {**ask, "Origin": "http://example.org"},
        {**ask, "Access-Control-Request-Method": "DELETE"},
        {**ask, "Access-Control-Request-Headers": "authorization"},
    ):
        assert send(url, "OPTIONS", refused)[0] == 403
    s3.put_object(Bucket=bucket, Key="key", Body=b"1")
    got = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "key"})
    status, headers, body = send(got, "GET", {"Origin": ORIGIN})
    assert (status, body, headers["Access-Control-Allow-Origin"]) == (200, b"1", ORIGIN)
    assert headers["Access-Control-Expose-Headers"] == "ETag"
    assert "Access-Control-Allow-Origin" not in send(got, "GET", {"Origin": "http://other"})[1]


def form(fields: dict[str, str], file: bytes) -> tuple[dict[str, str], bytes]:
    parts = [
        f'--edge\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    head = b'--edge\r\nContent-Disposition: form-data; name="file"; filename="photo.jpg"\r\n\r\n'
    body = b"".join([*parts, head, file, b"\r\n--edge--\r\n"])
    return {"Content-Type": "multipart/form-data; boundary=edge"}, body


def test_a_form_puts_an_object(s3: Any, bucket: str) -> None:
    post = s3.generate_presigned_post(
        bucket,
        "in/${filename}",
        Fields={"x-amz-meta-a": "b", "Content-Type": "image/jpeg", "success_action_status": "201"},
        Conditions=[
            {"x-amz-meta-a": "b"},
            ["starts-with", "$Content-Type", "image/"],
            {"success_action_status": "201"},
            ["content-length-range", 1, 200_000],
        ],
    )
    status, headers, body = send(post["url"], "POST", *form(post["fields"], b"x" * 150_000))
    assert (status, b"<Key>in/photo.jpg</Key>" in body) == (201, True)
    got = s3.get_object(Bucket=bucket, Key="in/photo.jpg")
    assert got["Body"].read() == b"x" * 150_000
    assert (got["ContentType"], got["Metadata"], got["ETag"]) == ("image/jpeg", {"a": "b"}, headers["ETag"])


@pytest.mark.parametrize(
    ("change", "file", "status", "code"),
    [
        ({"key": "elsewhere"}, b"ok", 403, "AccessDenied"),
        ({"acl": "public-read"}, b"ok", 403, "AccessDenied"),
        ({}, b"x" * 101, 400, "EntityTooLarge"),
        ({}, b"", 400, "EntityTooSmall"),
        ({"policy": "bm9uc2Vuc2U="}, b"ok", 400, "InvalidPolicyDocument"),
    ],
)
def test_a_form_that_its_policy_does_not_allow(
    s3: Any, bucket: str, change: dict[str, str], file: bytes, status: int, code: str
) -> None:
    post = s3.generate_presigned_post(bucket, "key", Conditions=[["content-length-range", 1, 100]])
    found, _, body = send(post["url"], "POST", *form(post["fields"] | change, file))
    assert (found, f"<Code>{code}</Code>".encode() in body) == (status, True)
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def test_a_form_cannot_become_another_operation(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="secret", Body=b"secret")
    fields = {"x-amz-copy-source": f"{bucket}/secret"}
    post = s3.generate_presigned_post(bucket, "key", Fields=fields, Conditions=[fields])
    assert send(post["url"], "POST", *form(post["fields"], b"mine"))[0] == 204
    assert s3.get_object(Bucket=bucket, Key="key")["Body"].read() == b"mine"


def test_a_users_form_is_held_to_its_signature(client: Any, bucket: str) -> None:
    iam = client("iam")
    iam.create_user(UserName="poster")
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    iam.put_user_policy(UserName="poster", PolicyName="p", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName="poster")["AccessKey"]
    secret = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
    good = client("s3", **secret).generate_presigned_post(bucket, "key")
    assert send(good["url"], "POST", *form(good["fields"], b"1"))[0] == 204
    forged = client("s3", **(secret | {"aws_secret_access_key": "guessed"})).generate_presigned_post(bucket, "key")
    status, _, body = send(forged["url"], "POST", *form(forged["fields"], b"1"))
    assert (status, b"SignatureDoesNotMatch" in body) == (403, True)


def test_a_form_tells_of_itself(client: Any, s3: Any, bucket: str) -> None:
    sqs = client("sqs")
    url = sqs.create_queue(QueueName="posts")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    statement = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arn}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    config = {"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:Post"]}]}
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=config)
    post = s3.generate_presigned_post(bucket, "key")
    assert send(post["url"], "POST", *form(post["fields"], b"1"))[0] == 204
    names = []
    for _ in range(60):
        for message in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages", []):
            names += [one["eventName"] for one in json.loads(message["Body"]).get("Records", [])]
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        if names:
            break
    assert names == ["ObjectCreated:Post"]


def test_a_website(s3: Any, bucket: str, endpoint: str) -> None:
    def get(path: str, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
        port = endpoint.rpartition(":")[2]
        return send(f"{endpoint}/{path}", method, {"Host": f"{bucket}.s3-website.localhost:{port}"})

    assert get("")[0] == 404
    rules = [{"Condition": {"KeyPrefixEquals": "old/"}, "Redirect": {"ReplaceKeyPrefixWith": "new/"}}]
    config = {"IndexDocument": {"Suffix": "i.html"}, "ErrorDocument": {"Key": "e.html"}, "RoutingRules": rules}
    s3.put_bucket_website(Bucket=bucket, WebsiteConfiguration=config)
    status, _, body = get("none")
    assert (status, b"<li>Key: none</li>" in body, b"<li>Key: e.html</li>" in body) == (404, True, True)
    for key in ("i.html", "sub/i.html", "e.html"):
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode(), ContentType="text/html")
    s3.put_object(Bucket=bucket, Key="away", WebsiteRedirectLocation="/sub/")
    assert get("")[2] == b"i.html"
    assert get("sub/")[2] == b"sub/i.html"
    assert get("none")[0::2] == (404, b"e.html")
    for path, location in (("sub", "/sub/"), ("away", "/sub/")):
        assert get(path)[1]["Location"] == location
    assert get("old/x")[1]["Location"].endswith("/new/x")
    assert get("", "DELETE")[0] == 405
