"""Other services' operations as tasks."""

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.services.stepfunctions.engine.conftest import Workflows

Task = Callable[..., dict[str, Any]]
Client = Callable[..., Any]


@pytest.fixture
def table(client: Client) -> str:
    client("dynamodb").create_table(
        TableName="orders",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return "orders"


def output(ended: dict[str, Any]) -> Any:
    assert ended["status"] == "SUCCEEDED", ended
    return json.loads(ended["output"])


def test_a_message_s_body_may_be_json(workflows: Workflows, client: Client, task: Task) -> None:
    sqs = client("sqs")
    url = sqs.create_queue(QueueName="orders")["QueueUrl"]
    told = output(workflows.run(task("sqs:sendMessage", {"QueueUrl": url, "MessageBody.$": "$"}), {"id": 7}))
    (message,) = sqs.receive_message(QueueUrl=url)["Messages"]
    assert json.loads(message["Body"]) == {"id": 7}
    assert told["MessageId"] == message["MessageId"]
    assert told["MD5OfMessageBody"] == message["MD5OfBody"]
    assert told["SdkHttpMetadata"]["HttpStatusCode"] == 200
    spelled = output(workflows.run(task("aws-sdk:sqs:sendMessage", {"QueueUrl": url, "MessageBody": "x"})))
    assert set(spelled) == {"MessageId", "Md5OfMessageBody"}


def test_items(workflows: Workflows, task: Task, table: str) -> None:
    item = {"id": {"S": "1"}, "paid": {"BOOL": True}, "tags": {"SS": ["a", "b"]}}
    put = output(workflows.run(task("dynamodb:putItem", {"TableName": table, "Item": item})))
    assert set(put) == {"SdkHttpMetadata", "SdkResponseMetadata"}
    key = {"TableName": table, "Key": {"id": {"S": "1"}}}
    assert output(workflows.run(task("dynamodb:getItem", key)))["Item"] == item
    sdk = output(workflows.run(task("aws-sdk:dynamodb:getItem", key)))
    assert sdk == {"Item": {"id": {"S": "1"}, "paid": {"Bool": True}, "tags": {"Ss": ["a", "b"]}}}


def test_errors_are_named_as_the_sdks_have_them(workflows: Workflows, task: Task, table: str) -> None:
    missing = {"TableName": "nothing", "Key": {"id": {"S": "1"}}}
    first = workflows.run(task("dynamodb:getItem", missing))
    assert first["error"] == "DynamoDB.ResourceNotFoundException"
    assert "(Service: AmazonDynamoDBv2; Status Code: 400; Error Code: ResourceNotFoundException;" in first["cause"]
    second = workflows.run(task("aws-sdk:dynamodb:getItem", missing))
    assert second["error"] == "DynamoDb.ResourceNotFoundException"
    assert "(Service: DynamoDb, Status Code: 400, Request ID: " in second["cause"]
    unnamed = workflows.run(task("aws-sdk:dynamodb:putItem", {"TableName": table}))
    assert unnamed["error"] == "DynamoDb.DynamoDbException"
    assert "Value null at 'item' failed to satisfy constraint" in unnamed["cause"]


def test_objects(workflows: Workflows, client: Client, task: Task, account: str) -> None:
    bucket = f"bucket-{account}"
    client("s3").create_bucket(Bucket=bucket)
    place = {"Bucket": bucket, "Key": "k"}
    put = output(workflows.run(task("aws-sdk:s3:putObject", {**place, "Body": {"Dict": "Value"}})))
    assert (put["ETag"], put["ChecksumCRC32"]) == ('"49e31cee5aec8faf3345893addb14346"', "hnEfWw==")
    got = output(workflows.run(task("aws-sdk:s3:getObject", place)))
    assert (got["Body"], got["ContentLength"], got["Metadata"]) == ('{"Dict":"Value"}', 16, {})
    assert got["LastModified"].endswith("Z")
    gone = workflows.run(task("aws-sdk:s3:getObject", {**place, "Key": "none"}))
    assert gone["error"] == "S3.NoSuchKeyException"
    client("s3").put_object(**place, Body=b"x" * 300_000)
    assert workflows.run(task("aws-sdk:s3:getObject", place))["error"] == "States.DataLimitExceeded"


def test_what_is_not_here_says_so(workflows: Workflows, task: Task) -> None:
    glue = workflows.run(task("glue:startJobRun.sync", {"JobName": "x"}))
    assert (glue["error"], "not implemented" in glue["cause"]) == ("Glue.NotImplemented", True)
    regions = workflows.run(task("aws-sdk:ec2:describeRegions", {}))
    assert regions["error"] == "ec2.NotImplemented"


@pytest.mark.parametrize("suffix", ["", ".sync", ".sync:2"])
def test_executions_start_others(workflows: Workflows, task: Task, suffix: str) -> None:
    child = workflows.machine({"P": {"Type": "Pass", "Result": {"b": 2}, "End": True}})
    parameters = {"StateMachineArn": child, "Input": {"a": 1}, "Name": "nested"}
    told = output(workflows.run(task(f"states:startExecution{suffix}", parameters)))
    assert told["ExecutionArn"].endswith(":nested")
    if suffix:
        assert told["Status"] == "SUCCEEDED"
        parsed = suffix.endswith("2")
        assert told["Output"] == ({"b": 2} if parsed else '{"b":2}')
        assert told["Input"] == ({"a": 1} if parsed else '{"a":1}')


def test_a_nested_execution_that_fails_is_told_whole(workflows: Workflows, task: Task) -> None:
    child = workflows.machine({"F": {"Type": "Fail", "Error": "Broken", "Cause": "why"}})
    ended = workflows.run(task("states:startExecution.sync", {"StateMachineArn": child}))
    assert ended["error"] == "States.TaskFailed"
    told = json.loads(ended["cause"])
    assert (told["Status"], told["Error"], told["Cause"]) == ("FAILED", "Broken", "why")


def test_a_nested_execution_is_stopped_with_who_waits_for_it(workflows: Workflows, task: Task) -> None:
    child = workflows.machine({"W": {"Type": "Wait", "Seconds": 3600, "End": True}})
    execution = workflows.start(
        workflows.machine(task("states:startExecution.sync", {"StateMachineArn": child, "Name": "nested"}))
    )
    workflows.until(execution, "TaskSubmitted")
    nested = child.replace(":stateMachine:", ":execution:") + ":nested"
    workflows.client.stop_execution(executionArn=execution)
    assert workflows.ended(nested)["status"] == "ABORTED"


def test_a_worker_takes_an_activity_s_task(workflows: Workflows, task: Task) -> None:
    activity = workflows.client.create_activity(name="pack")["activityArn"]
    execution = workflows.start(workflows.machine(task(activity)), {"parcel": 1})
    given = workflows.client.get_activity_task(activityArn=activity, workerName="ann")
    assert json.loads(given["input"]) == {"parcel": 1}
    workflows.client.send_task_success(taskToken=given["taskToken"], output='"packed"')
    assert output(workflows.ended(execution)) == "packed"
    (started,) = workflows.until(execution, "ActivityStarted")
    assert started["activityStartedEventDetails"]["workerName"] == "ann"


def test_a_worker_that_waits_is_woken(workflows: Workflows, task: Task) -> None:
    activity = workflows.client.create_activity(name="wait")["activityArn"]
    machine = workflows.machine(task(activity))
    found: list[Any] = []
    worker = threading.Thread(
        target=lambda: found.append(workflows.client.get_activity_task(activityArn=activity)), daemon=True
    )
    worker.start()
    execution = workflows.start(machine)
    worker.join(60)
    workflows.client.send_task_failure(taskToken=found[0]["taskToken"], error="Lost", cause="it fell")
    ended = workflows.ended(execution)
    assert (ended["error"], ended["cause"]) == ("Lost", "it fell")


def test_activities_are_made_listed_tagged_and_deleted(workflows: Workflows) -> None:
    sfn = workflows.client
    arn = sfn.create_activity(name="one", tags=[{"key": "a", "value": "b"}])["activityArn"]
    assert sfn.create_activity(name="one")["activityArn"] == arn
    sfn.create_activity(name="two")
    page = sfn.list_activities(maxResults=1)
    rest = sfn.list_activities(maxResults=1, nextToken=page["nextToken"])
    assert [found["name"] for found in page["activities"] + rest["activities"]] == ["one", "two"]
    assert sfn.list_tags_for_resource(resourceArn=arn)["tags"] == [{"key": "a", "value": "b"}]
    assert sfn.describe_activity(activityArn=arn)["encryptionConfiguration"] == {"type": "AWS_OWNED_KEY"}
    sfn.delete_activity(activityArn=arn)
    sfn.delete_activity(activityArn=arn)
    for call in (sfn.describe_activity, sfn.get_activity_task):
        with pytest.raises(ClientError) as error:
            call(activityArn=arn)
        assert error.value.response["Error"]["Code"] == "ActivityDoesNotExist"
    with pytest.raises(ClientError, match="InvalidName"):
        sfn.create_activity(name="one two")


def test_an_activity_that_is_not_there_fails_the_state(workflows: Workflows, task: Task, account: str) -> None:
    arn = f"arn:aws:states:us-east-1:{account}:activity:none"
    ended = workflows.run(task(arn))
    assert ended["error"] == "States.Runtime"
    assert ended["cause"].endswith(f"The activity {arn} does not exist.")


def test_a_task_may_take_on_a_role_of_another_account(
    workflows: Workflows, client: Client, task: Task, account: str
) -> None:
    other = f"{(int(account) + 500_000) % 10**12:012d}"
    url = client("sqs", account=other).create_queue(QueueName="far")["QueueUrl"]
    credentials = {"RoleArn": f"arn:aws:iam::{other}:role/far"}
    states = task("aws-sdk:sqs:getQueueUrl", {"QueueName": "far"}, Credentials=credentials)
    execution = workflows.start(workflows.machine(states))
    assert output(workflows.ended(execution))["QueueUrl"].endswith(f"/{other}/far")
    assert url.endswith(f"/{other}/far")
    (scheduled,) = workflows.until(execution, "TaskScheduled")
    assert scheduled["taskScheduledEventDetails"]["taskCredentials"] == {"roleArn": credentials["RoleArn"]}


def test_where_permissions_count_the_role_must_have_them(
    start_node: Callable[..., Any], task: Task, account: str
) -> None:
    node = start_node("--iam", "enforce")
    iam, sqs, sfn = (node.client(name, account) for name in ("iam", "sqs", "stepfunctions"))
    trust = {"Effect": "Allow", "Principal": {"Service": "states.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = iam.create_role(
        RoleName="flow", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )["Role"]["Arn"]
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    workflows = Workflows(sfn, lambda seconds: None)
    states = task("sqs:sendMessage", {"QueueUrl": url, "MessageBody": "x"})
    machine = sfn.create_state_machine(
        name="m", definition=json.dumps({"StartAt": "Do", "States": states}), roleArn=role
    )["stateMachineArn"]
    refused = workflows.ended(workflows.start(machine))
    assert refused["error"] == "SQS.AmazonSQSException"
    assert "is not authorized to perform: sqs:sendmessage" in refused["cause"]
    allow = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"}
    iam.put_role_policy(
        RoleName="flow", PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    )
    node.post("/_cumulet/clock", {"advance": 15})  # what is known of a role is trusted for a moment
    assert workflows.ended(workflows.start(machine))["status"] == "SUCCEEDED"
