"""Distributed Maps, from their items to their results."""

import gzip
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.services.stepfunctions.engine.conftest import Workflows

Client = Callable[..., Any]
PASS = {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}}
WAIT = {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 3600, "End": True}}}
FAIL_AT_2 = {
    "StartAt": "C",
    "States": {
        "C": {"Type": "Choice", "Choices": [{"Variable": "$", "NumericEquals": 2, "Next": "F"}], "Default": "P"},
        "F": {"Type": "Fail", "Error": "Two", "Cause": "it is"},
        "P": {"Type": "Pass", "End": True},
    },
}


def mapped(processor: dict[str, Any] = PASS, kind: str = "STANDARD", **fields: Any) -> dict[str, Any]:
    """The states of a machine with one distributed Map."""
    config = {"Mode": "DISTRIBUTED", "ExecutionType": kind}
    return {"M": {"Type": "Map", "End": True, "ItemProcessor": {"ProcessorConfig": config, **processor}, **fields}}


class Bucket:
    """Where items come from and results go."""

    def __init__(self, s3: Any, name: str) -> None:
        self.s3 = s3
        self.name = name
        s3.create_bucket(Bucket=name)

    def put(self, key: str, content: Any) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.s3.put_object(Bucket=self.name, Key=key, Body=body)

    def get(self, key: str) -> Any:
        text = self.s3.get_object(Bucket=self.name, Key=key)["Body"].read().decode()
        return json.loads(text) if key.endswith(".json") else [json.loads(line) for line in text.splitlines()]

    def reader(self, key: str, **config: Any) -> dict[str, Any]:
        parameters = {"Bucket": self.name, "Key": key}
        return {"Resource": "arn:aws:states:::s3:getObject", "Parameters": parameters, "ReaderConfig": config}

    def writer(self, **config: Any) -> dict[str, Any]:
        parameters = {"Bucket": self.name, "Prefix": "out"}
        written = {"WriterConfig": config} if config else {}
        return {"Resource": "arn:aws:states:::s3:putObject", "Parameters": parameters, **written}


@pytest.fixture
def bucket(client: Client, account: str) -> Bucket:
    return Bucket(client("s3"), f"maps-{account}")


def output(ended: dict[str, Any]) -> Any:
    assert ended["status"] == "SUCCEEDED", (ended.get("error"), ended.get("cause"))
    return json.loads(ended["output"])


def run_of(workflows: Workflows, execution: str) -> Any:
    (run,) = workflows.client.list_map_runs(executionArn=execution)["mapRuns"]
    return workflows.client.describe_map_run(mapRunArn=run["mapRunArn"])


@pytest.mark.parametrize("kind", ["STANDARD", "EXPRESS"])
def test_each_item_is_an_execution_of_its_own(workflows: Workflows, kind: str) -> None:
    ended = workflows.run(mapped(kind=kind, Label="Each"), [1, {"a": 2}, "x"])
    assert output(ended) == [1, {"a": 2}, "x"]
    run = run_of(workflows, ended["executionArn"])
    assert (run["status"], run["itemCounts"]["succeeded"], run["executionCounts"]["total"]) == ("SUCCEEDED", 3, 3)
    assert "/Each:" in run["mapRunArn"]
    if kind == "STANDARD":
        children = workflows.client.list_executions(mapRunArn=run["mapRunArn"])["executions"]
        assert {(child["status"], child["itemCount"]) for child in children} == {("SUCCEEDED", 1)}
        assert all("/Each:" in child["executionArn"] for child in children)


def test_nothing_is_a_map_too(workflows: Workflows) -> None:
    assert output(workflows.run(mapped(), [])) == []


def test_files(workflows: Workflows, bucket: Bucket) -> None:
    bucket.put("a.csv", b"Col1,Col2\n1,2\n3,4\n")
    bucket.put("a.json", [{"i": 1}, {"i": 2}, {"i": 3}])
    bucket.put("o.json", {"data": {"rows": [1, 2, 3]}})
    bucket.put("a.jsonl", b'{"a":1}\n{"a":2}\n')
    rows = [{"Col1": "1", "Col2": "2"}, {"Col1": "3", "Col2": "4"}]

    def items(key: str, **config: Any) -> Any:
        return output(workflows.run(mapped(ItemReader=bucket.reader(key, **config))))

    assert items("a.csv", InputType="CSV", CSVHeaderLocation="FIRST_ROW") == rows
    given = items("a.csv", InputType="CSV", CSVHeaderLocation="GIVEN", CSVHeaders=["x"], MaxItems=2)
    assert given == [{"x": "Col1"}, {"x": "1"}]
    assert items("a.json", InputType="JSON", MaxItems=2) == [{"i": 1}, {"i": 2}]
    assert items("o.json", InputType="JSON", ItemsPointer="/data/rows") == [1, 2, 3]
    assert items("a.jsonl", InputType="JSONL") == [{"a": 1}, {"a": 2}]
    gone = workflows.run(mapped(ItemReader=bucket.reader("none.json", InputType="JSON")))
    assert gone["error"] == "States.ItemReaderFailed"
    assert run_of(workflows, gone["executionArn"])["status"] == "FAILED"


def test_lists_and_manifests(workflows: Workflows, bucket: Bucket) -> None:
    bucket.put("in/1.json", [1, 2])
    bucket.put("in/2.json", [3])
    bucket.put("inv/data.csv.gz", gzip.compress(b'"b","in/a%20b","7"\n"b","c","8"\n'))
    manifest = {
        "fileFormat": "CSV",
        "fileSchema": "Bucket, Key, Size",
        "destinationBucket": f"arn:aws:s3:::{bucket.name}",
        "files": [{"key": "inv/data.csv.gz"}],
    }
    bucket.put("inv/manifest.json", manifest)
    lister = {
        "Resource": "arn:aws:states:::s3:listObjectsV2",
        "Parameters": {"Bucket": bucket.name, "Prefix": "in/"},
    }
    listed = output(workflows.run(mapped(ItemReader=lister)))
    assert [(item["Key"], item["Size"]) for item in listed] == [("in/1.json", 6), ("in/2.json", 3)]
    assert set(listed[0]) == {"Etag", "Key", "LastModified", "Size", "StorageClass"}
    flattened = {**lister, "ReaderConfig": {"InputType": "JSON", "Transformation": "LOAD_AND_FLATTEN"}}
    assert output(workflows.run(mapped(ItemReader=flattened))) == [1, 2, 3]
    inventory = output(workflows.run(mapped(ItemReader=bucket.reader("inv/manifest.json", InputType="MANIFEST"))))
    assert inventory == [
        {"Bucket": "b", "Key": "in/a b", "Size": "7"},
        {"Bucket": "b", "Key": "c", "Size": "8"},
    ]


def test_batches(workflows: Workflows) -> None:
    batcher = {"MaxItemsPerBatch": 2, "BatchInput": {"k.$": "$.k"}}
    selector = {"v.$": "$$.Map.Item.Value", "i.$": "$$.Map.Item.Index"}
    ended = workflows.run(
        mapped(ItemsPath="$.list", ItemBatcher=batcher, ItemSelector=selector), {"k": 1, "list": [7, 8, 9]}
    )
    assert output(ended) == [
        {"BatchInput": {"k": 1}, "Items": [{"v": 7, "i": 0}, {"v": 8, "i": 1}]},
        {"BatchInput": {"k": 1}, "Items": [{"v": 9, "i": 2}]},
    ]
    run = run_of(workflows, ended["executionArn"])
    assert (run["itemCounts"]["total"], run["executionCounts"]["total"]) == (3, 2)
    bytes_ = output(workflows.run(mapped(ItemBatcher={"MaxInputBytesPerBatch": 40}), ["x" * 10] * 5))
    assert [len(batch["Items"]) for batch in bytes_] == [2, 2, 1]
    assert all(len(json.dumps(batch, separators=(",", ":"))) <= 40 for batch in bytes_)


def test_failures_are_tolerated_up_to_a_threshold(workflows: Workflows) -> None:
    refused = workflows.run(mapped(FAIL_AT_2), [1, 2, 3])
    assert refused["error"] == "States.ExceedToleratedFailureThreshold"
    assert refused["cause"] == "The specified tolerated failure threshold was exceeded"
    assert run_of(workflows, refused["executionArn"])["itemCounts"]["failed"] == 1
    counted = output(workflows.run(mapped(FAIL_AT_2, ToleratedFailureCount=1), [1, 2, 3]))
    assert (counted[0], counted[1]["Error"], counted[1]["Status"], counted[2]) == (1, "Two", "FAILED", 3)
    assert len(output(workflows.run(mapped(FAIL_AT_2, ToleratedFailurePercentage=34), [1, 2, 3]))) == 3
    over = workflows.run(mapped(FAIL_AT_2, ToleratedFailurePercentage=33), [1, 2, 3])
    assert over["error"] == "States.ExceedToleratedFailureThreshold"


def test_results_are_written(workflows: Workflows, bucket: Bucket) -> None:
    states = mapped(FAIL_AT_2, ToleratedFailureCount=1, ResultWriter=bucket.writer())
    told = output(workflows.run(states, [1, 2, 3]))
    id = told["MapRunArn"].rpartition(":")[2]
    assert told["ResultWriterDetails"] == {"Bucket": bucket.name, "Key": f"out/{id}/manifest.json"}
    manifest = bucket.get(f"out/{id}/manifest.json")
    assert (manifest["DestinationBucket"], manifest["MapRunArn"]) == (bucket.name, told["MapRunArn"])
    files = manifest["ResultFiles"]
    assert files["PENDING"] == []
    (good,), (bad,) = files["SUCCEEDED"], files["FAILED"]
    size = bucket.s3.head_object(Bucket=bucket.name, Key=good["Key"])["ContentLength"]
    assert (good["Key"], good["Size"]) == (f"out/{id}/SUCCEEDED_0.json", size)
    assert [(row["Input"], row["Output"], row["Status"]) for row in bucket.get(good["Key"])] == [
        ("1", "1", "SUCCEEDED"),
        ("3", "3", "SUCCEEDED"),
    ]
    (failed,) = bucket.get(bad["Key"])
    assert (failed["Error"], failed["Cause"], "Output" in failed) == ("Two", "it is", False)


def test_results_are_transformed(workflows: Workflows, bucket: Bucket) -> None:
    writer = bucket.writer(Transformation="FLATTEN", OutputType="JSONL")
    told = output(workflows.run(mapped(ResultWriter=writer), [[1, 2], 3]))
    id = told["MapRunArn"].rpartition(":")[2]
    assert bucket.get(f"out/{id}/SUCCEEDED_0.jsonl") == [1, 2, 3]
    only = {"WriterConfig": {"Transformation": "FLATTEN", "OutputType": "JSON"}}
    assert output(workflows.run(mapped(ResultWriter=only), [[1, 2], 3])) == [1, 2, 3]


def test_a_result_that_no_state_can_hold(workflows: Workflows) -> None:
    big = {"StartAt": "P", "States": {"P": {"Type": "Pass", "Result": "x" * 100_000, "End": True}}}
    assert workflows.run(mapped(big), [1, 2, 3])["error"] == "States.DataLimitExceeded"


def test_concurrency_is_changed_while_it_runs(workflows: Workflows) -> None:
    execution = workflows.start(workflows.machine(mapped(WAIT, MaxConcurrency=2)), [1, 2, 3, 4, 5])
    (started,) = workflows.until(execution, "MapRunStarted")
    arn = started["mapRunStartedEventDetails"]["mapRunArn"]

    def running(wanted: int) -> int:
        deadline = time.monotonic() + 200
        while not workflows.client.list_map_runs(executionArn=execution)["mapRuns"]:  # it begins after it was told
            assert time.monotonic() < deadline
            time.sleep(0.02)
        while True:
            found = int(workflows.client.describe_map_run(mapRunArn=arn)["executionCounts"]["running"])
            if found == wanted or time.monotonic() > deadline:
                return found
            time.sleep(0.02)

    assert running(2) == 2
    counts = workflows.client.describe_map_run(mapRunArn=arn)["itemCounts"]
    assert (counts["total"], counts["pending"]) == (5, 3)
    workflows.client.update_map_run(mapRunArn=arn, maxConcurrency=4, toleratedFailureCount=3)
    assert running(4) == 4
    described = workflows.client.describe_map_run(mapRunArn=arn)
    assert (described["maxConcurrency"], described["toleratedFailureCount"]) == (4, 3)
    workflows.client.stop_execution(executionArn=execution)
    deadline = time.monotonic() + 200
    while (found := workflows.client.describe_map_run(mapRunArn=arn))["status"] == "RUNNING":
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    assert (found["status"], found["executionCounts"]["aborted"]) == ("ABORTED", 4)
    children = workflows.client.list_executions(mapRunArn=arn)["executions"]
    assert {child["status"] for child in children} == {"ABORTED"}
    with pytest.raises(ClientError, match="cannot be updated"):
        workflows.client.update_map_run(mapRunArn=arn, maxConcurrency=1)


def test_what_there_is_no_map_run_of(workflows: Workflows, account: str) -> None:
    arn = f"arn:aws:states:us-east-1:{account}:mapRun:m/l:none"
    with pytest.raises(ClientError, match="ResourceNotFound"):
        workflows.client.describe_map_run(mapRunArn=arn)
    with pytest.raises(ClientError, match="InvalidArn"):
        workflows.client.describe_map_run(mapRunArn="none")
    with pytest.raises(ClientError, match="ExecutionDoesNotExist"):
        workflows.client.list_map_runs(executionArn=f"arn:aws:states:us-east-1:{account}:execution:m:none")


def test_a_map_that_failed_goes_on_with_what_failed(workflows: Workflows, client: Client) -> None:
    sqs = client("sqs")
    missing = f"{sqs.create_queue(QueueName='there')['QueueUrl']}-later"
    send = {
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage",
        "Parameters": {"QueueUrl.$": "$", "MessageBody": "x"},
        "ResultSelector": {"sent": True},
        "End": True,
    }
    states = mapped({"StartAt": "S", "States": {"S": send}}, ToleratedFailureCount=0, MaxConcurrency=1)
    ended = workflows.run(states, [missing.removesuffix("-later"), missing])
    assert ended["error"] == "States.ExceedToleratedFailureThreshold"
    sqs.create_queue(QueueName="there-later")
    workflows.client.redrive_execution(executionArn=ended["executionArn"])
    assert output(workflows.ended(ended["executionArn"])) == [{"sent": True}, {"sent": True}]
    run = run_of(workflows, ended["executionArn"])
    assert (run["status"], run["redriveCount"], run["itemCounts"]["succeeded"]) == ("SUCCEEDED", 1, 2)
    received = sqs.get_queue_attributes(
        QueueUrl=missing.removesuffix("-later"), AttributeNames=["ApproximateNumberOfMessages"]
    )
    assert received["Attributes"]["ApproximateNumberOfMessages"] == "1"


def test_a_map_that_is_over_is_not_redriven(workflows: Workflows) -> None:
    states = mapped({"StartAt": "S", "States": {"S": {"Type": "Pass", "End": True}}})
    [name] = states
    states[name] = {key: value for key, value in states[name].items() if key != "End"} | {"Next": "Bad"}
    states["Bad"] = {"Type": "Fail", "Error": "E"}
    ended = workflows.run(states, [1])
    workflows.client.redrive_execution(executionArn=ended["executionArn"])
    assert workflows.ended(ended["executionArn"])["error"] == "E"
    assert "MapRunRedriven" not in workflows.types(ended["executionArn"])
    assert run_of(workflows, ended["executionArn"])["status"] == "SUCCEEDED"


def test_children_wait_for_their_redrive(workflows: Workflows, client: Client) -> None:
    url = client("sqs").create_queue(QueueName="calls")["QueueUrl"]
    call = {
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
        "Parameters": {"QueueUrl": url, "MessageBody.$": "$$.Task.Token"},
        "TimeoutSeconds": 1_000,
        "End": True,
    }
    states = mapped({"StartAt": "S", "States": {"S": call}}, ToleratedFailureCount=1, MaxConcurrency=1)
    ended = workflows.run(states, [1, 2], jump=1_001)
    assert ended["error"] == "States.ExceedToleratedFailureThreshold"
    execution = ended["executionArn"]
    workflows.client.redrive_execution(executionArn=execution)
    run = run_of(workflows, execution)
    deadline = time.monotonic() + 200
    while run["executionCounts"]["running"] != 1 and time.monotonic() < deadline:
        time.sleep(0.05)
        run = run_of(workflows, execution)
    assert {k: run["executionCounts"][k] for k in ("pending", "running", "pendingRedrive", "total")} == {
        "pending": 0,
        "running": 1,
        "pendingRedrive": 1,
        "total": 2,
    }
    assert run["itemCounts"]["pendingRedrive"] == 1

    def statuses() -> list[str]:
        children = workflows.client.list_executions(mapRunArn=run["mapRunArn"])["executions"]
        return sorted(child["status"] for child in children)

    while statuses() != ["PENDING_REDRIVE", "RUNNING"] and time.monotonic() < deadline:
        time.sleep(0.05)  # the first is just about to go on
    assert statuses() == ["PENDING_REDRIVE", "RUNNING"]
    [waits] = workflows.client.list_executions(mapRunArn=run["mapRunArn"], statusFilter="PENDING_REDRIVE")["executions"]
    found = workflows.client.describe_execution(executionArn=waits["executionArn"])
    assert (found["status"], found["redriveStatus"]) == ("PENDING_REDRIVE", "NOT_REDRIVABLE")
    assert workflows.ended(execution, jump=1_001)["status"] == "FAILED"
    children = workflows.client.list_executions(mapRunArn=run["mapRunArn"])["executions"]
    assert {child["status"] for child in children} == {"FAILED"}


def test_a_node_that_dies_goes_on_where_it_was(start_node: Callable[..., Any], account: str) -> None:
    node = start_node()
    workflows = Workflows(node.client("stepfunctions", account), lambda seconds: None)
    sqs = node.client("sqs", account)
    url = sqs.create_queue(QueueName="once")["QueueUrl"]
    send = {
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage",
        "Parameters": {"QueueUrl": "", "MessageBody.$": "States.JsonToString($)"},
        "ResultPath": None,
        "Next": "W",
    }
    send["Parameters"] = {"QueueUrl": url, "MessageBody.$": "States.JsonToString($)"}
    slow = {"StartAt": "S", "States": {"S": send, "W": {"Type": "Wait", "Seconds": 1, "End": True}}}
    execution = workflows.start(workflows.machine(mapped(slow, MaxConcurrency=5)), list(range(12)))
    workflows.until(execution, "MapRunStarted")
    time.sleep(1.3)  # some children have ended, some run, some are to come
    node.kill()
    node.start()
    workflows = Workflows(node.client("stepfunctions", account), lambda seconds: None)
    assert output(workflows.ended(execution)) == list(range(12))
    run = run_of(workflows, execution)
    assert (run["executionCounts"]["succeeded"], run["executionCounts"]["total"]) == (12, 12)
    children = workflows.client.list_executions(mapRunArn=run["mapRunArn"])["executions"]
    assert len(children) == 12
