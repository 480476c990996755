"""Policies that let a caller at some partitions and attributes of a table alone, on a node that enforces permissions."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.conftest import NodeProcess

ACCOUNT = "777777777701"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}],
}


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    node = NodeProcess(tmp_path_factory.mktemp("leading") / "data", "--iam", "enforce")
    dynamodb = node.client("dynamodb", ACCOUNT)
    dynamodb.create_table(
        TableName="games",
        KeySchema=[{"AttributeName": "user", "KeyType": "HASH"}, {"AttributeName": "game", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("user", "game", "club")],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-club",
                "KeySchema": [{"AttributeName": "club", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            },
            {
                "IndexName": "by-club-and-game",
                "KeySchema": [{"AttributeName": name, "KeyType": "HASH"} for name in ("club", "game")],
                "Projection": {"ProjectionType": "ALL"},
            },
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    for user in ("ann", "bob"):
        item = {"user": {"S": user}, "game": {"S": "chess"}, "club": {"S": user}, "score": {"N": "1"}}
        dynamodb.put_item(TableName="games", Item=item)
    yield node
    node.stop()


def acting(strict: NodeProcess, name: str, condition: dict[str, Any], action: str = "dynamodb:*") -> Any:
    """A client of DynamoDB that may do what the condition allows."""
    iam = strict.client("iam", ACCOUNT)
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))
    arn = f"arn:aws:dynamodb:*:{ACCOUNT}:table/games"
    statement = {"Effect": "Allow", "Action": action, "Resource": [arn, f"{arn}/*"], "Condition": condition}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=document)
    sts = strict.client("sts", ACCOUNT)
    given = sts.assume_role(RoleArn=f"arn:aws:iam::{ACCOUNT}:role/{name}", RoleSessionName="session")["Credentials"]
    return strict.client(
        "dynamodb",
        ACCOUNT,
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
    )


def denied(run: Any, **parameters: Any) -> bool:
    try:
        run(**parameters)
    except ClientError as error:
        if error.response["Error"]["Code"] != "AccessDeniedException":
            raise
        return True
    return False


def key(user: str) -> dict[str, dict[str, str]]:
    return {"user": {"S": user}, "game": {"S": "chess"}}


@pytest.fixture(scope="module")
def ann(strict: NodeProcess) -> Any:
    return acting(strict, "ann", {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["ann"]}})


@pytest.mark.parametrize(("user", "refused"), [("ann", False), ("bob", True)])
def test_each_operation_on_items(ann: Any, user: str, refused: bool) -> None:
    at = {"TableName": "games", "Key": key(user)}
    assert denied(ann.get_item, **at) is refused
    change = {"UpdateExpression": "SET score = :n", "ExpressionAttributeValues": {":n": {"N": "2"}}}
    assert denied(ann.update_item, **at, **change) is refused
    assert denied(ann.put_item, TableName="games", Item=key(user)) is refused
    asked = {"KeyConditionExpression": "#u = :u", "ExpressionAttributeNames": {"#u": "user"}}
    values = {":u": {"S": user}}
    assert denied(ann.query, TableName="games", **asked, ExpressionAttributeValues=values) is refused
    old = {"user": {"ComparisonOperator": "EQ", "AttributeValueList": [{"S": user}]}}
    assert denied(ann.query, TableName="games", KeyConditions=old) is refused
    by_club = {"KeyConditionExpression": "club = :u", "ExpressionAttributeValues": values, "IndexName": "by-club"}
    assert denied(ann.query, TableName="games", **by_club) is refused
    assert denied(ann.transact_get_items, TransactItems=[{"Get": at}]) is refused
    assert denied(ann.transact_write_items, TransactItems=[{"Update": {**at, **change}}]) is refused
    statement = f"SELECT * FROM games WHERE \"user\" = '{user}'"
    assert denied(ann.execute_statement, Statement=statement) is refused
    parameters = [{"S": "ann"}, {"S": user}]
    both = 'SELECT * FROM games WHERE "user" IN [?, ?]'
    assert denied(ann.execute_statement, Statement=both, Parameters=parameters) is refused


def test_one_of_many_is_enough_to_be_refused(ann: Any) -> None:
    both = {"games": {"Keys": [key("ann"), key("bob")]}}
    assert denied(ann.batch_get_item, RequestItems=both)
    assert not denied(ann.batch_get_item, RequestItems={"games": {"Keys": [key("ann")]}})
    puts = [{"PutRequest": {"Item": key("ann")}}, {"DeleteRequest": {"Key": key("bob")}}]
    assert denied(ann.batch_write_item, RequestItems={"games": puts})
    assert not denied(ann.batch_write_item, RequestItems={"games": puts[:1]})


def test_attributes(strict: NodeProcess) -> None:
    allowed = ["user", "game", "score"]
    reader = acting(strict, "reader", {"ForAllValues:StringEquals": {"dynamodb:Attributes": allowed}})
    at = {"TableName": "games", "Key": key("ann")}
    assert not denied(reader.get_item, **at, ProjectionExpression="score")
    assert denied(reader.get_item, **at, ProjectionExpression="score, club")
    assert denied(reader.get_item, **at, AttributesToGet=["club"])
    assert denied(reader.put_item, TableName="games", Item={**key("ann"), "secret": {"S": "x"}})
    values = {":c": {"S": "c"}}
    assert denied(reader.update_item, **at, UpdateExpression="SET club = :c", ExpressionAttributeValues=values)
    condition = {"ConditionExpression": "club = :c", "ExpressionAttributeValues": values}
    assert denied(reader.delete_item, **at, **condition)
    assert denied(reader.scan, TableName="games", FilterExpression="club = :c", ExpressionAttributeValues=values)
    assert denied(reader.execute_statement, Statement="SELECT club FROM games")


def test_scans_by_statements_can_be_refused(strict: NodeProcess) -> None:
    client = acting(strict, "no-scans", {"Bool": {"dynamodb:FullTableScan": "false"}}, "dynamodb:PartiQLSelect")
    assert denied(client.execute_statement, Statement="SELECT * FROM games")
    assert not denied(client.execute_statement, Statement="SELECT * FROM games WHERE \"user\" = 'bob'")


def test_a_partition_key_of_two_attributes_counts_with_both(strict: NodeProcess) -> None:
    chess = acting(strict, "chess", {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["ann", "chess"]}})
    for club, game, refused in (("ann", "chess", False), ("bob", "chess", True), ("ann", "go", True)):
        asked = {
            "TableName": "games",
            "IndexName": "by-club-and-game",
            "KeyConditionExpression": "club = :c AND game = :g",
            "ExpressionAttributeValues": {":c": {"S": club}, ":g": {"S": game}},
        }
        assert denied(chess.query, **asked) is refused
