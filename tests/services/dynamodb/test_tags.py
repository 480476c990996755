"""Tags and resource policies of tables, changed by several callers at once, and what may not be a tag."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

AT_ONCE = 12
READ = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"dynamodb:GetItem","Resource":"%s","Sid":"s%s"}]}'


@pytest.fixture
def arn(dynamodb: Any, make_table: Callable[..., str]) -> str:
    return str(dynamodb.describe_table(TableName=make_table())["Table"]["TableArn"])


def test_tags_that_are_set_at_the_same_time_are_all_kept(dynamodb: Any, arn: str) -> None:
    keys = [f"key-{number}" for number in range(AT_ONCE)]

    def change(key: str) -> None:
        for turn in range(8):
            dynamodb.tag_resource(ResourceArn=arn, Tags=[{"Key": key, "Value": str(turn)}])

    with ThreadPoolExecutor(AT_ONCE) as threads:
        list(threads.map(change, keys))
    tags = dynamodb.list_tags_of_resource(ResourceArn=arn)["Tags"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == dict.fromkeys(keys, "7")


def test_one_of_those_who_expect_the_same_revision_of_a_policy_changes_it(dynamodb: Any, arn: str) -> None:
    def change(number: int) -> str | None:
        try:
            given = dynamodb.put_resource_policy(
                ResourceArn=arn, Policy=READ % (arn, number), ExpectedRevisionId=revision
            )
        except dynamodb.exceptions.PolicyNotFoundException:
            return None
        return str(given["RevisionId"])

    revision = "NO_POLICY"
    with ThreadPoolExecutor(AT_ONCE) as threads:
        for turn in range(6):
            made = list(threads.map(change, range(turn * AT_ONCE, (turn + 1) * AT_ONCE)))
            (revision,) = [each for each in made if each is not None]
    assert dynamodb.get_resource_policy(ResourceArn=arn)["RevisionId"] == revision


def test_indexes_have_no_tags(dynamodb: Any, arn: str, refused: Callable[..., str]) -> None:
    of_index = f"{arn}/index/by-name"
    words = (
        "ValidationException: One or more parameter values were invalid: Invalid resource arn provided, only table or "
        f"stream is accepted. Provided resource arn: {of_index}"
    )
    assert refused(dynamodb.list_tags_of_resource, ResourceArn=of_index) == words
    assert refused(dynamodb.tag_resource, ResourceArn=of_index, Tags=[{"Key": "a", "Value": "b"}]) == words


def test_a_table_has_one_arn(dynamodb: Any, arn: str, refused: Callable[..., str]) -> None:
    """Permissions are looked up for the ARN as it is given: by another they would be those of nothing."""
    _, _, _, region, account, table = arn.split(":")
    for odd in (f"{arn}/any", f"arn:aws:dynamodb:::{table}", f"arn:aws-cn:dynamodb:{region}:{account}:{table}"):
        for call in (dynamodb.list_tags_of_resource, dynamodb.get_resource_policy, dynamodb.delete_resource_policy):
            assert refused(call, ResourceArn=odd).startswith("ValidationException"), odd
        assert "ValidationException" in refused(dynamodb.put_resource_policy, ResourceArn=odd, Policy=READ % (arn, 1))


@pytest.mark.parametrize("text", ["hi!", "d%g", '"hello"'])
def test_some_characters_are_not_for_tags(dynamodb: Any, arn: str, refused: Callable[..., str], text: str) -> None:
    for tag in ({"Key": text, "Value": "dog"}, {"Key": "dog", "Value": text}):
        assert refused(dynamodb.tag_resource, ResourceArn=arn, Tags=[tag]).startswith("ValidationException: ")
    free = [{"Key": "Größe 1_a.b:c/d=e+f-g@h", "Value": ""}]
    dynamodb.tag_resource(ResourceArn=arn, Tags=free)
    assert dynamodb.list_tags_of_resource(ResourceArn=arn)["Tags"] == free
