"""The examples with layers: pictures by Pillow, orders by Powertools."""

import io
import json
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest
from tests.journeys.examples import ACCOUNT, EXAMPLES, deploy

VERSION = f"python{sys.version_info.major}.{sys.version_info.minor}"
ORDERS: list[dict[str, Any]] = [{"id": "A1", "amount": 12.5}, {"id": "A2"}, {"id": "A3", "amount": 3}]


def wait_for(found: Callable[[], Any]) -> Any:
    """What `found` gives once it is true."""
    end = time.monotonic() + 90
    while not (value := found()):
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.05)
    return value


def read(s3: Any, bucket: str, key: str) -> bytes | None:
    there = s3.list_objects_v2(Bucket=bucket, Prefix=key).get("Contents")
    return bytes(s3.get_object(Bucket=bucket, Key=key)["Body"].read()) if there else None


def test_a_picture_gets_a_watermark_and_a_thumbnail(strict: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    deploy(strict, "watermark")
    monkeypatch.syspath_prepend(EXAMPLES.parent / "build" / "watermark" / VERSION)
    from PIL import Image, ImageChops, ImageStat

    s3 = strict.client("s3", ACCOUNT)
    photograph = (EXAMPLES / "thumbnail" / "astronaut.jpg").read_bytes()
    s3.put_object(Bucket="photos", Key="nasa/eileen collins.png", Body=photograph)
    small = wait_for(lambda: read(s3, "thumbnails", "nasa/eileen collins.png"))
    published = read(s3, "published", "nasa/eileen collins.png")
    assert published is not None
    original, marked, thumbnail = (
        Image.open(io.BytesIO(data)).convert("RGB") for data in (photograph, published, small)
    )

    assert marked.size == original.size == (512, 512)
    changed = ImageChops.difference(original, marked).getbbox()
    assert changed is not None
    left, top, right, bottom = changed
    assert (left > 256, top > 450, right <= 512 - 8, bottom <= 512 - 8) == (True, True, True, True)
    brighter = ImageChops.subtract(marked.crop(changed), original.crop(changed))
    assert max(ImageStat.Stat(brighter).mean) > 5
    assert max(ImageStat.Stat(ImageChops.subtract(original.crop(changed), marked.crop(changed))).mean) == 0

    assert thumbnail.size == (128, 128)
    expected = marked.resize((128, 128), Image.Resampling.LANCZOS)
    assert max(ImageStat.Stat(ImageChops.difference(thumbnail, expected)).mean) < 1

    arns = {
        strict.client("lambda", ACCOUNT).get_function_configuration(FunctionName=name)["Layers"][0]["Arn"]
        for name in ("watermark", "thumbnail")
    }
    assert len(arns) == 1


def records(node: Any) -> list[Any]:
    """What the function has logged as JSON."""
    logs = node.client("logs", ACCOUNT)
    if not logs.describe_log_groups(logGroupNamePrefix="/aws/lambda/orders")["logGroups"]:
        return []
    events = logs.filter_log_events(logGroupName="/aws/lambda/orders")["events"]
    return [json.loads(event["message"]) for event in events if event["message"].startswith("{")]


def booked(found: list[Any]) -> list[str]:
    return sorted(record["order_id"] for record in found if record.get("message") == "booked")


def count(sqs: Any, url: str, which: str = "") -> int:
    """How many messages wait; `NotVisible`: how many somebody has received."""
    name = f"ApproximateNumberOfMessages{which}"
    return int(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name])


def test_orders_are_booked_one_fails_alone(strict: Any) -> None:
    queue = deploy(strict, "powertools")
    sqs, functions = strict.client("sqs", ACCOUNT), strict.client("lambda", ACCOUNT)
    failed = sqs.get_queue_url(QueueName="orders-failed")["QueueUrl"]
    entries = [{"Id": order["id"], "MessageBody": json.dumps(order)} for order in ORDERS]
    assert len(sqs.send_message_batch(QueueUrl=queue, Entries=entries)["Successful"]) == len(ORDERS)
    wait_for(lambda: count(sqs, queue) == 0 and count(sqs, queue, "NotVisible") == 1)
    wait_for(lambda: booked(records(strict)) == ["A1", "A3"])

    def given_up() -> bool:
        strict.post("/_cumulet/clock", {"advance": 61})
        time.sleep(0.2)
        return count(sqs, failed) == 1

    wait_for(given_up)
    [message] = sqs.receive_message(QueueUrl=failed)["Messages"]
    assert json.loads(message["Body"]) == {"id": "A2"}

    found = records(strict)
    assert booked(found) == ["A1", "A3"]
    [first] = [record for record in found if record.get("order_id") == "A1"]
    assert (first["service"], first["function_name"], first["amount"]) == ("orders", "orders", 12.5)
    measured = [record for record in found if "_aws" in record]
    assert [one for record in measured for one in record.get("OrdersBooked", [])] == [1.0, 1.0]
    assert {record["_aws"]["CloudWatchMetrics"][0]["Namespace"] for record in measured} == {"Shop"}
    assert [record for record in measured if record.get("ColdStart") == [1.0]]

    traced(functions)


def traced(functions: Any) -> None:
    """The same function with Tracer on: what cannot be sent does no harm."""
    variables = functions.get_function_configuration(FunctionName="orders")["Environment"]["Variables"]
    del variables["POWERTOOLS_TRACE_DISABLED"]
    functions.update_function_configuration(
        FunctionName="orders", Environment={"Variables": variables}, TracingConfig={"Mode": "Active"}
    )
    functions.get_waiter("function_updated_v2").wait(FunctionName="orders", WaiterConfig={"Delay": 1})
    event = {"Records": [{"messageId": "1", "body": json.dumps(ORDERS[0]), "eventSource": "aws:sqs"}]}
    answer = functions.invoke(FunctionName="orders", Payload=json.dumps(event))
    assert "FunctionError" not in answer
    assert json.loads(answer["Payload"].read()) == {"batchItemFailures": []}
