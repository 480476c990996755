"""Permissions are looked up for the resource that the service will touch, in whatever form a request names it."""

import contextlib

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cumulet.api import dynamodb, kinesis, kms, lambda_, sqs
from cumulet.kernel.call import Call, Principal
from cumulet.kernel.errors import AwsError
from cumulet.policy.needs import needs
from cumulet.services.dynamodb.names import place
from cumulet.services.dynamodb.partiql.parser import parse
from cumulet.services.kinesis.model import stream_arn
from cumulet.services.kinesis.state import stream_key
from cumulet.services.kinesis.tokens import Tokens
from cumulet.services.kms.names import parse as parse_key
from cumulet.services.lambda_.names import refer
from cumulet.services.sqs.model import queue_key

OWN, OTHER = "111122223333", "555566667777"
CALL = Call(OWN, "us-east-1", Principal.root(OWN), "request-1")


def part(*choices: str) -> st.SearchStrategy[str]:
    return st.sampled_from(("", *choices))


FUNCTIONS = st.tuples(
    part("arn:aws:lambda:", "arn:aws-cn:lambda:", "arn:"),
    part("us-east-1:", "eu-west-1:"),
    part(f"{OTHER}:", f"{OWN}:", "5:"),
    part("function:", "layer:"),
    part("f", OTHER, "function", "us-east-1"),
    part(":1", ":live", ":$LATEST", ":", ":1:2"),
).map("".join)
QUEUES = st.tuples(
    part("http://localhost:4566/", "http://sqs.us-east-1.amazonaws.com/", "https://x", "/"),
    part("queue/", "queue/eu-west-1/", "a/b/", "/"),
    part(f"{OTHER}/", f"{OWN}/", "5/", f"{OTHER}//"),
    part("q", OTHER),
    part("/", "//"),
).map("".join)


@given(name=FUNCTIONS, qualifier=st.none() | st.sampled_from(["1", "live"]))
@example(name=f"{OTHER}:f", qualifier=None)
@example(name=f"us-east-1:{OTHER}:f", qualifier=None)
@example(name=f"arn:aws:lambda:{OTHER}:f:1", qualifier=None)
def test_functions(name: str, qualifier: str | None) -> None:
    with contextlib.suppress(AwsError):
        meant = refer(CALL, name, qualifier).arn
        request = lambda_.InvocationRequest(function_name=name, qualifier=qualifier)
        assert [need.resource for need in needs(CALL, "lambda", "Invoke", request)] == [meant]


@given(url=QUEUES)
@example(url=f"http://localhost/{OTHER}/q/")
@example(url=f"http://localhost/queue/eu-west-1/{OTHER}/q")
def test_queues(url: str) -> None:
    account, region, name = queue_key(CALL, url)
    request = sqs.DeleteQueueRequest(queue_url=url)
    assert [need.resource for need in needs(CALL, "sqs", "DeleteQueue", request)] == [
        f"arn:aws:sqs:{region}:{account}:{name}"
    ]


def test_who_may_change_a_function_may_not_point_the_mappings_of_others_to_it() -> None:
    request = lambda_.UpdateEventSourceMappingRequest(uuid="u", function_name="f")
    [need] = needs(CALL, "lambda", "UpdateEventSourceMapping", request)
    assert need.resource == f"arn:aws:lambda:us-east-1:{OWN}:event-source-mapping:u"


TABLE = f"arn:aws:dynamodb:us-east-1:{OTHER}:table/t"


def test_transactions_need_each_action_on_its_own_table() -> None:
    items = [
        dynamodb.TransactWriteItem(delete=dynamodb.Delete(key={}, table_name=TABLE)),
        dynamodb.TransactWriteItem(put=dynamodb.Put(item={}, table_name="own")),
    ]
    found = needs(CALL, "dynamodb", "TransactWriteItems", dynamodb.TransactWriteItemsInput(transact_items=items))
    assert [(need.action, need.resource) for need in found] == [
        ("dynamodb:DeleteItem", TABLE),
        ("dynamodb:PutItem", f"arn:aws:dynamodb:us-east-1:{OWN}:table/own"),
    ]


@given(
    name=st.sampled_from(
        [
            "table",
            TABLE,
            f"{TABLE}/index/i",
            "arn:aws:dynamodb:::table/t",
            f"arn:aws:dynamodb:eu-west-1:{OTHER}:table/t/x",
        ]
    )
)
def test_tables(name: str) -> None:
    account, region, meant = place(CALL, name.replace("table/t", "table/tables"))
    request = dynamodb.DescribeTableInput(table_name=name.replace("table/t", "table/tables"))
    [need] = needs(CALL, "dynamodb", "DescribeTable", request)
    assert need.resource == f"arn:aws:dynamodb:{region}:{account}:table/{meant}"


def test_who_copies_a_table_needs_leave_for_that_table() -> None:
    restored = dynamodb.RestoreTableToPointInTimeInput(source_table_arn=TABLE, target_table_name="own")
    exported = dynamodb.ExportTableToPointInTimeInput(table_arn=f"{TABLE}/any", s3_bucket="b")
    for operation, request in (("RestoreTableToPointInTime", restored), ("ExportTableToPointInTime", exported)):
        assert [need.resource for need in needs(CALL, "dynamodb", operation, request)] == [TABLE]
    backup = f"{TABLE}/backup/1"
    unpacked = dynamodb.RestoreTableFromBackupInput(target_table_name="own", backup_arn=backup)
    found = [need.resource for need in needs(CALL, "dynamodb", "RestoreTableFromBackup", unpacked)]
    assert found == [f"arn:aws:dynamodb:us-east-1:{OWN}:table/own", backup]


def test_statements_name_no_tables_of_others() -> None:
    with pytest.raises(AwsError, match="not its ARN"):
        parse(f'SELECT * FROM "{TABLE}"')


def test_who_makes_a_replica_of_another_accounts_table_joins_that() -> None:
    source = "arn:aws:dynamodb:us-west-2:444455556666:table/t"
    request = dynamodb.CreateTableInput(table_name="t", global_table_source_arn=source)
    found = [(need.action, need.resource) for need in needs(CALL, "dynamodb", "CreateTable", request)]
    assert found[1:] == [("dynamodb:AssociateTableReplica", source)]


def test_who_makes_a_table_with_a_policy_and_tags_needs_what_giving_it_those_later_would() -> None:
    made = f"arn:aws:dynamodb:us-east-1:{OWN}:table/own"
    tags = [dynamodb.Tag(key="a", value="b")]
    request = dynamodb.CreateTableInput(table_name="own", resource_policy="{}", tags=tags)
    found = [(need.action, need.resource) for need in needs(CALL, "dynamodb", "CreateTable", request)]
    assert found == [(f"dynamodb:{name}", made) for name in ("CreateTable", "PutResourcePolicy", "TagResource")]


def test_who_makes_and_deletes_replicas_needs_to_in_their_regions() -> None:
    made = dynamodb.CreateReplicationGroupMemberAction(region_name="eu-west-1")
    gone = dynamodb.DeleteReplicationGroupMemberAction(region_name="us-west-2")
    witness = dynamodb.CreateGlobalTableWitnessGroupMemberAction(region_name="eu-west-3")
    for name in ("own", f"arn:aws:dynamodb:us-east-1:{OWN}:table/own"):
        request = dynamodb.UpdateTableInput(
            table_name=name,
            replica_updates=[
                dynamodb.ReplicationGroupUpdate(create=made),
                dynamodb.ReplicationGroupUpdate(delete=gone),
            ],
            global_table_witness_updates=[dynamodb.GlobalTableWitnessGroupUpdate(create=witness)],
        )
        found = {
            (need.action.removeprefix("dynamodb:"), need.resource)
            for need in needs(CALL, "dynamodb", "UpdateTable", request)
        }
        items = ("Scan", "Query", "UpdateItem", "PutItem", "GetItem", "DeleteItem", "BatchWriteItem")
        wanted = {
            "us-east-1": ("UpdateTable",),
            "eu-west-1": ("CreateTable", "CreateTableReplica", *items),
            "us-west-2": ("DeleteTable", "DeleteTableReplica"),
            "eu-west-3": ("CreateGlobalTableWitness",),
        }
        tables = {region: f"arn:aws:dynamodb:{region}:{OWN}:table/own" for region in wanted}
        assert found == {(action, tables[region]) for region, actions in wanted.items() for action in actions}


def test_who_makes_a_function_with_a_capacity_provider_passes_that_too() -> None:
    provider = f"arn:aws:lambda:us-east-1:{OWN}:capacity-provider:p"
    config = {"LambdaManagedInstancesCapacityProviderConfig": {"CapacityProviderArn": provider}}
    function = msgspec.convert(
        {"FunctionName": "f", "Role": "r", "Code": {}, "CapacityProviderConfig": config}, lambda_.CreateFunctionRequest
    )
    found = [(need.action, need.resource) for need in needs(CALL, "lambda", "CreateFunction", function)]
    assert found[1:] == [("iam:PassRole", "r"), ("lambda:PassCapacityProvider", provider)]
    made = msgspec.convert(
        {
            "CapacityProviderName": "p",
            "VpcConfig": {"SubnetIds": [], "SecurityGroupIds": []},
            "PermissionsConfig": {"CapacityProviderOperatorRoleArn": "operator"},
        },
        lambda_.CreateCapacityProviderRequest,
    )
    found = [(need.action, need.resource) for need in needs(CALL, "lambda", "CreateCapacityProvider", made)]
    assert found == [("lambda:CreateCapacityProvider", provider), ("iam:PassRole", "operator")]


KEYS = st.tuples(
    part("arn:aws:kms:us-east-1:", "arn:aws:kms:eu-west-1:", "arn:"),
    part(f"{OTHER}:", f"{OWN}:"),
    part("key/", "alias/"),
    part("1234abcd-12ab-34cd-56ef-1234567890ab", f"mrk-{'0' * 32}", "mine", "aws/s3"),
).map("".join)


@given(name=KEYS)
@example(name=f"arn:aws:kms:us-east-1:{OTHER}:alias/mine")
@example(name="alias/mine")
def test_keys_of_kms(name: str) -> None:
    with contextlib.suppress(AwsError):
        meant = parse_key(CALL, name).arn
        request = kms.DescribeKeyRequest(key_id=name)
        assert [need.resource for need in needs(CALL, "kms", "DescribeKey", request)] == [meant]


STREAMS = (
    st.tuples(
        part("arn:aws:kinesis:", "arn:aws-cn:kinesis:", "arn:aws:x:kinesis:"),
        part("us-east-1:", "eu-west-1:"),
        part(f"{OTHER}:", f"{OWN}:"),
        part("stream/", "a/stream/"),
        part("s", "s/consumer/c:1"),
    )
    .map("".join)
    .filter(bool)
)
"""Those that fit the model's pattern are never empty."""


@given(name=st.none() | st.sampled_from(["s", OTHER]), arn=st.none() | STREAMS)
@example(name=None, arn=f"arn:aws:kinesis:us-east-1:{OTHER}:stream/s")
@example(name=None, arn=f"arn:aws-cn:kinesis:us-east-1:{OTHER}:stream/s")
def test_streams(name: str | None, arn: str | None) -> None:
    with contextlib.suppress(AwsError, ValueError):
        meant = stream_arn(stream_key(CALL, name, arn))
        request = kinesis.PutRecordInput(stream_name=name, stream_arn=arn, data=b"", partition_key="a")
        assert [need.resource for need in needs(CALL, "kinesis", "PutRecord", request)] == [meant]


def test_iterators() -> None:
    arn = f"arn:aws:kinesis:us-east-1:{OTHER}:stream/s"
    text = Tokens(b"secret").make(0, arn, b"")
    request = kinesis.GetRecordsInput(shard_iterator=text, stream_arn=f"arn:aws:kinesis:us-east-1:{OWN}:stream/s")
    assert [need.resource for need in needs(CALL, "kinesis", "GetRecords", request)] == [arn]
