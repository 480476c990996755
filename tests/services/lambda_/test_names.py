"""AWS's names inside functions lead to the node: clients that know nothing of it find it."""

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

_PYTHON = """
import json, os, socket, ssl, urllib.request

def handler(event, context):
    if "sqs" in event:
        import boto3
        os.environ.pop("AWS_ENDPOINT_URL", None)
        sqs = boto3.client("sqs", region_name=event["sqs"])
        url = sqs.create_queue(QueueName=event["name"])["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody="from inside")
        return [sqs.meta.endpoint_url, sqs.receive_message(QueueUrl=url)["Messages"][0]["Body"]]
    if "s3" in event:
        import boto3
        os.environ.pop("AWS_ENDPOINT_URL", None)
        s3 = boto3.client("s3")
        s3.create_bucket(Bucket=event["s3"])
        s3.put_object(Bucket=event["s3"], Key="a/b", Body=b"bytes")
        return s3.get_object(Bucket=event["s3"], Key="a/b")["Body"].read().decode()
    if "certificate" in event:
        name = event["certificate"]
        try:
            with socket.create_connection((name, 443), 50) as plain:
                with ssl.create_default_context().wrap_socket(plain, server_hostname=event.get("as", name)) as secure:
                    return secure.version()
        except OSError as error:
            return type(error).__name__
    request = urllib.request.Request(event["get"], data=event.get("body", "").encode() or None)
    with urllib.request.urlopen(request, timeout=50) as answer:
        return answer.read().decode()
"""
_NODE = """
import https from 'node:https';
export const handler = (event) => new Promise((resolve, reject) => {
  https.get(event.get, (answer) => resolve(answer.statusCode)).on('error', reject);
});
"""


def _create(
    client: Callable[..., Any],
    name: str,
    text: str,
    runtime: str = "python3.11",
    file: str = "app.py",
    *,
    account: str = "",
) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(file, text)
    aws = client("lambda")
    aws.create_function(
        FunctionName=name,
        Runtime=runtime,
        Role=f"arn:aws:iam::{account or 12 * '0'}:role/any",
        Handler="app.handler",
        Timeout=60,
        MemorySize=512,
        Code={"ZipFile": packed.getvalue()},
    )
    aws.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.2})


def _invoke(client: Callable[..., Any], name: str, event: dict[str, Any]) -> Any:
    answer = client("lambda").invoke(FunctionName=name, Payload=json.dumps(event))
    payload = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, payload
    return payload


def test_an_sdk_without_an_endpoint_finds_the_node_by_https(client: Callable[..., Any], account: str) -> None:
    _create(client, "f", _PYTHON, account=account)
    endpoint, body = _invoke(client, "f", {"sqs": "eu-west-3", "name": "inside"})
    assert (endpoint, body) == ("https://sqs.eu-west-3.amazonaws.com", "from inside")
    assert client("sqs", region="eu-west-3").get_queue_url(QueueName="inside")
    bucket = f"inside-{account}"
    assert _invoke(client, "f", {"s3": bucket}) == "bytes"


def test_functions_call_function_urls_as_they_are_given(client: Callable[..., Any]) -> None:
    _create(client, "f", _PYTHON)
    _create(
        client, "g", "def handler(event, context):\n    return 'called by ' + event['requestContext']['http']['method']"
    )
    url = client("lambda").create_function_url_config(FunctionName="g", AuthType="NONE")["FunctionUrl"]
    client("lambda").add_permission(
        FunctionName="g",
        StatementId="all",
        Action="lambda:InvokeFunctionUrl",
        Principal="*",
        FunctionUrlAuthType="NONE",
    )
    assert _invoke(client, "f", {"get": url, "body": "it"}) == "called by POST"
    id_, region = url.split("//")[1].split(".")[0], "us-east-1"
    as_on_aws = f"https://{id_}.lambda-url.{region}.on.aws/"
    assert _invoke(client, "f", {"get": as_on_aws}) == "called by GET"


def test_the_certificate_is_for_awss_names_alone(client: Callable[..., Any]) -> None:
    _create(client, "f", _PYTHON)
    assert _invoke(client, "f", {"certificate": "sts.us-east-1.amazonaws.com"}) == "TLSv1.3"
    refused = _invoke(client, "f", {"certificate": "sts.amazonaws.com", "as": "example.com"})
    assert refused == "SSLCertVerificationError"


def test_node_js_trusts_it_too(client: Callable[..., Any]) -> None:
    _create(client, "f", _NODE, "nodejs20.x", "app.mjs")
    assert _invoke(client, "f", {"get": "https://sts.us-east-1.amazonaws.com/?Action=GetCallerIdentity"}) in (400, 403)
