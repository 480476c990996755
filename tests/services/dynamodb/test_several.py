"""Global indexes whose partition and sort keys have several attributes."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cumulet.services.dynamodb.rows import END, escaped, part_bytes

INDEX = "rounds"
_KEYS = ["tournament:HASH:S", "region:HASH:S", "round:RANGE:S", "bracket:RANGE:N", "match:RANGE:B"]


def _schema(*parts: str) -> list[dict[str, str]]:
    return [{"AttributeName": part.split(":")[0], "KeyType": part.split(":")[1]} for part in parts]


def _definitions(*parts: str) -> list[dict[str, str]]:
    return [{"AttributeName": part.split(":")[0], "AttributeType": part.split(":")[2]} for part in parts]


def _index(*parts: str, projection: str = "ALL", name: str = INDEX) -> dict[str, Any]:
    return {"IndexName": name, "KeySchema": _schema(*parts), "Projection": {"ProjectionType": projection}}


def _item(id: str, round: str = "final", bracket: str = "1", match: bytes = b"a", **more: Any) -> dict[str, Any]:
    item = {"id": {"S": id}, "tournament": {"S": "winter"}, "region": {"S": "east"}, "round": {"S": round}}
    return {**item, "bracket": {"N": bracket}, "match": {"B": match}, **more}


@pytest.fixture
def table(make_table: Callable[..., str]) -> str:
    return make_table(more=_definitions(*_KEYS), GlobalSecondaryIndexes=[_index(*_KEYS)])


@pytest.fixture
def ids(dynamodb: Any, table: str) -> Callable[..., list[str]]:
    """The ids of what a query of the index finds, with values as `:name`."""

    def query(condition: str, **options: Any) -> list[str]:
        values = {":t": {"S": "winter"}, ":r": {"S": "east"}, **options.pop("values", {})}
        found = dynamodb.query(
            TableName=table,
            IndexName=INDEX,
            KeyConditionExpression=f"tournament = :t AND #region = :r{condition}",
            ExpressionAttributeNames={"#region": "region"}
            | {f"#{n}": n for n in ("round", "match") if f"#{n}" in condition},
            ExpressionAttributeValues=values,
            **options,
        )
        return [item["id"]["S"] for item in found["Items"]]

    return query


def _fill(dynamodb: Any, table: str) -> None:
    rows = [
        _item("1", "final", "10"),
        _item("2", "final", "9"),
        _item("3", "final", "-1"),
        _item("4", "final\0x", "1"),
        _item("5", "finals", "1"),
        _item("6", "a", "99"),
        _item("7", "final", "9", b"\0"),
        _item("8", region={"S": "west"}),
        _item("9", tournament={"S": "win"}, region={"S": "tereast"}),
    ]
    for item in rows:
        dynamodb.put_item(TableName=table, Item=item)


def test_a_table_shows_the_keys_in_the_order_they_were_given(dynamodb: Any, table: str) -> None:
    shown = dynamodb.describe_table(TableName=table)["Table"]
    assert shown["GlobalSecondaryIndexes"][0]["KeySchema"] == _schema(*_KEYS)
    assert len(shown["AttributeDefinitions"]) == 6


def test_items_sort_by_one_attribute_after_another(dynamodb: Any, table: str, ids: Callable[..., list[str]]) -> None:
    _fill(dynamodb, table)
    in_order = ["6", "3", "7", "2", "1", "4", "5"]
    assert ids("") == in_order
    assert ids("", ScanIndexForward=False) == in_order[::-1]


@pytest.mark.parametrize(
    ("condition", "values", "found"),
    [
        (" AND #round = :a", {":a": {"S": "final"}}, ["3", "7", "2", "1"]),
        (" AND #round > :a", {":a": {"S": "final"}}, ["4", "5"]),
        (" AND #round >= :a", {":a": {"S": "final"}}, ["3", "7", "2", "1", "4", "5"]),
        (" AND #round < :a", {":a": {"S": "final"}}, ["6"]),
        (" AND #round <= :a", {":a": {"S": "final"}}, ["6", "3", "7", "2", "1"]),
        (" AND begins_with(#round, :a)", {":a": {"S": "final"}}, ["3", "7", "2", "1", "4", "5"]),
        (" AND #round BETWEEN :a AND :b", {":a": {"S": "a"}, ":b": {"S": "final"}}, ["6", "3", "7", "2", "1"]),
        (" AND #round = :a AND bracket = :b", {":a": {"S": "final"}, ":b": {"N": "9.0"}}, ["7", "2"]),
        (" AND #round = :a AND bracket > :b", {":a": {"S": "final"}, ":b": {"N": "-1"}}, ["7", "2", "1"]),
        (" AND #round = :a AND bracket < :b", {":a": {"S": "final"}, ":b": {"N": "9"}}, ["3"]),
        (" AND bracket <= :b AND #round = :a", {":a": {"S": "final"}, ":b": {"N": "9"}}, ["3", "7", "2"]),
        (
            " AND #round = :a AND bracket BETWEEN :b AND :c",
            {":a": {"S": "final"}, ":b": {"N": "0"}, ":c": {"N": "10"}},
            ["7", "2", "1"],
        ),
        (
            " AND #round = :a AND bracket = :b AND #match >= :c",
            {":a": {"S": "final"}, ":b": {"N": "9"}, ":c": {"B": b"\0a"}},
            ["2"],
        ),
    ],
)
def test_conditions_go_from_left_to_right(
    dynamodb: Any, table: str, ids: Callable[..., list[str]], condition: str, values: Any, found: list[str]
) -> None:
    _fill(dynamodb, table)
    assert ids(condition, values=values) == found


@pytest.mark.parametrize(
    ("condition", "values", "reason"),
    [
        ("tournament = :t", {}, "Query condition missed key schema element: region"),
        (
            "tournament = :t AND #region > :r",
            {":r": {"S": "a"}},
            "Query key condition not supported",
        ),
        (
            "tournament = :t AND #region = :r AND bracket = :b",
            {":r": {"S": "a"}, ":b": {"N": "1"}},
            "Query condition missed key schema element: round",
        ),
        (
            "tournament = :t AND #region = :r AND #round > :a AND bracket = :b",
            {":r": {"S": "a"}, ":b": {"N": "1"}, ":a": {"S": "a"}},
            "Query key condition not supported",
        ),
        (
            "tournament = :t AND #region = :r AND #round = :a",
            {":r": {"S": "a"}, ":a": {"N": "1"}},
            "One or more parameter values were invalid: Condition parameter type does not match schema type",
        ),
    ],
)
def test_other_conditions_are_refused(
    dynamodb: Any, table: str, refused: Callable[..., str], condition: str, values: Any, reason: str
) -> None:
    names = {f"#{name}": name for name in ("region", "round") if f"#{name}" in condition}
    wrong = refused(
        dynamodb.query,
        TableName=table,
        IndexName=INDEX,
        KeyConditionExpression=condition,
        ExpressionAttributeValues={":t": {"S": "winter"}, **values},
        **({"ExpressionAttributeNames": names} if names else {}),
    )
    assert wrong == f"ValidationException: {reason}"


def test_older_conditions_work_too(dynamodb: Any, table: str) -> None:
    _fill(dynamodb, table)
    wanted = {"tournament": {"S": "winter"}, "region": {"S": "east"}, "round": {"S": "final"}, "bracket": {"N": "9"}}
    conditions = {
        name: {"ComparisonOperator": "GE" if name == "bracket" else "EQ", "AttributeValueList": [value]}
        for name, value in wanted.items()
    }
    found = dynamodb.query(TableName=table, IndexName=INDEX, KeyConditions=conditions)
    assert [item["id"]["S"] for item in found["Items"]] == ["7", "2", "1"]


def test_pages_go_on_after_the_whole_key(dynamodb: Any, table: str) -> None:
    _fill(dynamodb, table)
    asked = {
        "TableName": table,
        "IndexName": INDEX,
        "KeyConditionExpression": "tournament = :t AND #r = :r AND #o = :o",
        "ExpressionAttributeNames": {"#r": "region", "#o": "round"},
        "ExpressionAttributeValues": {":t": {"S": "winter"}, ":r": {"S": "east"}, ":o": {"S": "final"}},
        "Limit": 1,
    }
    found: list[str] = []
    start: dict[str, Any] = {}
    while True:
        page = dynamodb.query(**asked, **start)
        found += [item["id"]["S"] for item in page["Items"]]
        if "LastEvaluatedKey" not in page:
            break
        assert set(page["LastEvaluatedKey"]) == {"id", "tournament", "region", "round", "bracket", "match"}
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
    assert found == ["3", "7", "2", "1"]


def test_scans_of_the_index_have_pages_and_segments(dynamodb: Any, table: str) -> None:
    _fill(dynamodb, table)
    found = []
    for segment in range(3):
        pages = dynamodb.get_paginator("scan").paginate(
            TableName=table, IndexName=INDEX, Segment=segment, TotalSegments=3, PaginationConfig={"PageSize": 2}
        )
        found += [item["id"]["S"] for page in pages for item in page["Items"]]
    assert sorted(found) == [str(number) for number in range(1, 10)]


def test_items_that_lack_an_attribute_are_not_in_the_index(
    dynamodb: Any, table: str, ids: Callable[..., list[str]]
) -> None:
    dynamodb.put_item(TableName=table, Item=_item("1"))
    for missing in ("tournament", "region", "round", "bracket", "match"):
        item = _item("2")
        del item[missing]
        dynamodb.put_item(TableName=table, Item=item)
        assert ids("") == ["1"]
    dynamodb.update_item(
        TableName=table,
        Key={"id": {"S": "1"}},
        UpdateExpression="SET bracket = :b",
        ExpressionAttributeValues={":b": {"N": "5"}},
    )
    assert ids(" AND #round = :o AND bracket = :b", values={":o": {"S": "final"}, ":b": {"N": "5"}}) == ["1"]
    dynamodb.delete_item(TableName=table, Key={"id": {"S": "1"}})
    assert ids("") == []


def test_sizes_of_a_part_count_together(dynamodb: Any, table: str, refused: Callable[..., str]) -> None:
    long = {"tournament": {"S": "a" * 1500}, "region": {"S": "b" * 1000}}
    assert "Size of hashkey has exceeded" in refused(dynamodb.put_item, TableName=table, Item={**_item("1"), **long})
    wrong = refused(dynamodb.put_item, TableName=table, Item=_item("1", "a" * 600, match=b"b" * 600))
    assert "Aggregated size of all range keys has exceeded the size limit of 1024 bytes" in wrong


def test_an_index_of_a_table_in_use_is_filled(dynamodb: Any, make_table: Callable[..., str]) -> None:
    table = make_table()
    _fill(dynamodb, table)
    dynamodb.update_table(
        TableName=table,
        AttributeDefinitions=_definitions(*_KEYS),
        GlobalSecondaryIndexUpdates=[{"Create": _index(*_KEYS, projection="KEYS_ONLY")}],
    )
    dynamodb.get_waiter("table_exists").wait(TableName=table)
    found = dynamodb.query(
        TableName=table,
        IndexName=INDEX,
        KeyConditionExpression="tournament = :t AND #r = :r AND begins_with(#o, :o)",
        ExpressionAttributeNames={"#r": "region", "#o": "round"},
        ExpressionAttributeValues={":t": {"S": "winter"}, ":r": {"S": "east"}, ":o": {"S": "final"}},
    )
    assert [item["id"]["S"] for item in found["Items"]] == ["3", "7", "2", "1", "4", "5"]
    assert set(found["Items"][0]) == {"id", "tournament", "region", "round", "bracket", "match"}


def test_statements_do_not_read_the_index(dynamodb: Any, table: str, refused: Callable[..., str]) -> None:
    _fill(dynamodb, table)
    for where in ("", "WHERE tournament = 'winter'", "WHERE tournament = 5"):
        wrong = refused(dynamodb.execute_statement, Statement=f'SELECT id FROM "{table}"."{INDEX}" {where}')
        assert wrong == (
            "ValidationException: PartiQL statements cannot be executed on tables with "
            "multi-attribute HASH keys or multi-attribute RANGE keys."
        )
    assert dynamodb.execute_statement(Statement=f"SELECT id FROM \"{table}\" WHERE id = '3'")["Items"]


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        (["round:RANGE:S", "a:HASH:S"], "Invalid KeySchema: The first KeySchemaElement is not a HASH key type"),
        (
            ["a:HASH:S", "b:RANGE:S", "c:HASH:S"],
            "One or more parameter values were invalid: All HASH key attributes must precede RANGE key attributes in the KeySchema",
        ),
        (
            [f"h{n}:HASH:S" for n in range(5)],
            "One or more parameter values were invalid: The KeySchema exceeds the maximum allowed number of HASH key attributes",
        ),
        (
            ["h:HASH:S", *[f"r{n}:RANGE:S" for n in range(5)]],
            "One or more parameter values were invalid: The KeySchema exceeds the maximum allowed number of RANGE key attributes",
        ),
        (["a:HASH:S", "a:HASH:S"], "The KeySchema contains multiple key attributes with the same name"),
        (["a:HASH:S", "b:RANGE:S", "a:RANGE:S"], "The KeySchema contains multiple key attributes with the same name"),
        (["a:HASH:S", "a:RANGE:S"], "Both the Hash Key and the Range Key element in the KeySchema have the same name"),
    ],
)
def test_wrong_keys_of_indexes_are_refused(
    make_table: Callable[..., str], refused: Callable[..., str], schema: list[str], reason: str
) -> None:
    definitions = {each["AttributeName"]: each for each in _definitions(*schema)}
    wrong = refused(make_table, more=[*definitions.values()], GlobalSecondaryIndexes=[_index(*schema)])
    assert wrong == f"ValidationException: {reason}"


def test_tables_and_local_indexes_have_two_attributes_at_most(
    make_table: Callable[..., str], refused: Callable[..., str]
) -> None:
    more = _definitions("a:RANGE:S", "b:RANGE:S")
    wrong = refused(
        make_table,
        range_key="at",
        more=more,
        LocalSecondaryIndexes=[_index("id:HASH:S", "a:RANGE:S", "b:RANGE:S")],
    )
    assert "'localSecondaryIndexes.1.member.keySchema'" in wrong
    assert wrong.endswith("Member must have length less than or equal to 2")


def test_an_index_has_eight_attributes_at_most(dynamodb: Any, make_table: Callable[..., str]) -> None:
    parts = [f"h{n}:HASH:N" for n in range(4)] + [f"r{n}:RANGE:B" for n in range(4)]
    table = make_table(more=_definitions(*parts), GlobalSecondaryIndexes=[_index(*parts)])
    values = {part.split(":")[0]: {"N": "1"} if "HASH" in part else {"B": b"x"} for part in parts}
    dynamodb.put_item(TableName=table, Item={"id": {"S": "1"}, **values})
    found = dynamodb.query(
        TableName=table,
        IndexName=INDEX,
        KeyConditionExpression=" AND ".join(f"{name} = :{name}" for name in values),
        ExpressionAttributeValues={f":{name}": value for name, value in values.items()},
    )
    assert found["Count"] == 1


@given(st.lists(st.binary(max_size=4), min_size=2, max_size=2), st.lists(st.binary(max_size=4), min_size=2, max_size=2))
def test_bytes_of_several_attributes_sort_as_the_attributes_do(first: list[bytes], second: list[bytes]) -> None:
    assert (part_bytes(first) < part_bytes(second)) == (first < second)
    assert (part_bytes(first) == part_bytes(second)) == (first == second)


@given(st.binary(max_size=4), st.binary(max_size=3))
def test_what_begins_with_bytes_does_so_when_escaped(whole: bytes, prefix: bytes) -> None:
    assert (escaped(whole) + END).startswith(escaped(prefix)) == whole.startswith(prefix)
