from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

MakeTable = Callable[..., str]


def execute(dynamodb: Any, statement: str, *parameters: Any, **others: Any) -> list[dict[str, Any]]:
    given = {"Parameters": list(parameters)} if parameters else {}
    items: list[dict[str, Any]] = dynamodb.execute_statement(Statement=statement, **given, **others)["Items"]
    return items


def refused(dynamodb: Any, statement: str, *parameters: Any, **others: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as raised:
        execute(dynamodb, statement, *parameters, **others)
    error = raised.value.response["Error"]
    return error["Code"], error["Message"]


def got(dynamodb: Any, table: str, **key: str) -> Any:
    return dynamodb.get_item(TableName=table, Key={name: {"S": value} for name, value in key.items()}).get("Item")


def test_items_come_and_go(dynamodb: Any, make_table: MakeTable) -> None:
    table = make_table("id")
    insert = f"INSERT INTO \"{table}\" VALUE {{'id': 'a', 'data': 'it''s', 'n': -1.50, 'l': [1, ?, {{'x': null}}], 's': <<'b'>>}}"
    assert execute(dynamodb, insert, {"BOOL": True}) == []
    item = {
        "id": {"S": "a"},
        "data": {"S": "it's"},
        "n": {"N": "-1.5"},
        "l": {"L": [{"N": "1"}, {"BOOL": True}, {"M": {"x": {"NULL": True}}}]},
        "s": {"SS": ["b"]},
    }
    assert execute(dynamodb, f'SELECT * FROM "{table}" WHERE id = ?', {"S": "a"}) == [item]
    assert refused(dynamodb, f"INSERT INTO \"{table}\" VALUE {{'id': 'a'}}") == (
        "DuplicateItemException",
        "Duplicate primary key exists in table",
    )
    update = f"UPDATE \"{table}\" SET data = 'new' SET n = n + 1 SET s = set_add(s, <<'c'>>) REMOVE l[0] WHERE id = 'a'"
    assert execute(dynamodb, update) == []
    changed = got(dynamodb, table, id="a")
    assert (changed["data"], changed["n"], changed["l"]["L"][0]) == ({"S": "new"}, {"N": "-0.5"}, {"BOOL": True})
    assert sorted(changed["s"]["SS"]) == ["b", "c"]
    assert execute(dynamodb, f"DELETE FROM \"{table}\" WHERE id = 'a' RETURNING ALL OLD *") == [changed]
    assert execute(dynamodb, f"DELETE FROM \"{table}\" WHERE id = 'a' AND data = 'x'") == []
    assert got(dynamodb, table, id="a") is None


def test_conditions_of_writes(dynamodb: Any, make_table: MakeTable) -> None:
    table = make_table("id")
    assert refused(dynamodb, f"UPDATE \"{table}\" SET a = 1 WHERE id = 'a'")[0] == "ConditionalCheckFailedException"
    execute(dynamodb, f"INSERT INTO \"{table}\" VALUE {{'id': 'a', 'tags': <<1, 2>>}}")
    wrong = f"UPDATE \"{table}\" SET a = 1 WHERE id = 'a' AND tags = ?"
    assert refused(dynamodb, wrong, {"NS": ["2"]})[0] == "ConditionalCheckFailedException"
    shown = execute(dynamodb, f"{wrong} RETURNING MODIFIED NEW *", {"NS": ["2", "1"]})
    assert shown == [{"a": {"N": "1"}}]
    assert execute(dynamodb, f"UPDATE \"{table}\" REMOVE a WHERE id = 'a' RETURNING MODIFIED NEW *") == []
    assert (
        refused(dynamodb, f"DELETE FROM \"{table}\" WHERE id = 'a' AND a = 2")[0] == "ConditionalCheckFailedException"
    )


def test_selecting(dynamodb: Any, make_table: MakeTable) -> None:
    table = make_table("id", "sk")
    for number in range(4):
        value = f"{{'id': 'p', 'sk': 's{number}', 'n': {number}, 'm': {{'a': {{'b': [{number}, 9]}}}}}}"
        execute(dynamodb, f'INSERT INTO "{table}" VALUE {value}')
    execute(dynamodb, f"INSERT INTO \"{table}\" VALUE {{'id': 'q', 'sk': 's0'}}")

    def keys(where: str, *parameters: Any, **others: Any) -> list[str]:
        found = execute(dynamodb, f'SELECT id, sk FROM "{table}" {where}', *parameters, **others)
        return [f"{item['id']['S']}{item['sk']['S'][1]}" for item in found]

    assert keys("WHERE id = 'p' AND sk >= 's2'") == ["p2", "p3"]
    assert keys("WHERE 'p' = id AND begins_with(sk, 's') AND n BETWEEN 1 AND 2") == ["p1", "p2"]
    assert keys("WHERE id = 'p' ORDER BY sk DESC") == ["p3", "p2", "p1", "p0"]
    assert keys("WHERE id = 'p' AND (sk = 's0' OR sk = 's3')") == ["p0", "p3"]
    assert keys("WHERE n IN [0, 3]") == ["p0", "p3"]
    assert keys("WHERE n IS MISSING OR NOT n <> ?", {"N": "1"}) in (["q0", "p1"], ["p1", "q0"])
    assert keys("WHERE id = 'p' AND \"m\".a['b'][0] > 2") == ["p3"]
    assert keys("WHERE size(sk) = 2 AND contains(m.a.b, 2) -- a comment") == ["p2"]
    assert keys("WHERE id = 'none'") == []
    assert execute(dynamodb, f"SELECT m.a.b[0], n, m.a.x FROM \"{table}\" WHERE id = 'p' AND sk = 's3'") == [
        {"b[0]": {"N": "3"}, "n": {"N": "3"}}
    ]


def test_pages(dynamodb: Any, make_table: MakeTable) -> None:
    table = make_table("id", "sk")
    for number in range(5):
        execute(dynamodb, f'INSERT INTO "{table}" VALUE ' + f"{{'id': 'p', 'sk': 's{number}'}}")
    seen: list[str] = []
    token: dict[str, str] = {}
    for _ in range(4):
        page = dynamodb.execute_statement(Statement=f"SELECT * FROM \"{table}\" WHERE id = 'p'", Limit=2, **token)
        seen += [item["sk"]["S"] for item in page["Items"]]
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert seen == ["s0", "s1", "s2", "s3", "s4"]
    assert refused(dynamodb, f'SELECT * FROM "{table}"', NextToken="nonsense")[0] == "ValidationException"


MALFORMED = "Statement wasn't well formed, can't be processed: "


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("SELECTT * FROM {t}", f"{MALFORMED}Expected data manipulation"),
        ('SELECT * FROM "t', MALFORMED),
        ("SELECT * FROM {t} WHERE id = ?", "Number of parameters in request and statement don't match."),
        ('SELECT * FROM "" WHERE id = 1', "Path component cannot be an empty string"),
        ('SELECT * FROM {t}."" WHERE id = 1', "Path component cannot be an empty string"),
        ('SELECT * FROM {t}."a"."b"', "A path may contain at most 2 components in the FROM clause"),
        ("SELECT * FROM {t}.\"nope\" WHERE id = 'x'", "The table does not have the specified index"),
        ("SELECT * FROM {t} ORDER BY id", "Must have WHERE clause in the statement when using ORDER BY clause."),
        (
            "SELECT * FROM {t} WHERE a = 1 ORDER BY id",
            "Must have at least one non-optional hash key condition in WHERE clause when using ORDER BY clause.",
        ),
        (
            "SELECT * FROM {t} WHERE id = 'x' ORDER BY a",
            "Variable reference a in ORDER BY clause must be part of the primary key",
        ),
        (
            "SELECT * FROM absent WHERE id = 'x' AND a < true",
            "Incorrect operand type for operator or function; operator or function: <, operand type: BOOL",
        ),
        (
            "UPDATE {t} SET a = 1 WHERE a = 2",
            "Where clause does not contain a mandatory equality on all key attributes",
        ),
        (
            "DELETE FROM {t} WHERE id = 'x' RETURNING MODIFIED OLD *",
            "Invalid returning clause: RETURNING MODIFIED OLD *. Only RETURNING ALL OLD * is allowed in DELETE statements.",
        ),
    ],
)
def test_statements_that_are_refused(dynamodb: Any, make_table: MakeTable, statement: str, message: str) -> None:
    assert refused(dynamodb, statement.replace("{t}", f'"{make_table()}"')) == ("ValidationException", message)


def test_tables_that_are_not_there(dynamodb: Any) -> None:
    assert refused(dynamodb, "SELECT * FROM absent WHERE id = 'x'")[0] == "ResourceNotFoundException"


def test_batches(dynamodb: Any, make_table: MakeTable) -> None:
    table = make_table("id")
    execute(dynamodb, f"INSERT INTO \"{table}\" VALUE {{'id': 'a', 'n': 1}}")
    responses = dynamodb.batch_execute_statement(
        Statements=[
            {"Statement": f"INSERT INTO \"{table}\" VALUE {{'id': 'b'}}"},
            {"Statement": f"INSERT INTO \"{table}\" VALUE {{'id': 'a'}}"},
            {"Statement": f"UPDATE \"{table}\" SET n = n + 1 WHERE id = 'a' RETURNING ALL NEW *"},
            {"Statement": "SLECT"},
            {"Statement": "DELETE FROM absent WHERE id = 'a'"},
        ]
    )["Responses"]
    assert responses[0] == {"TableName": table}
    assert (responses[1]["Error"]["Code"], responses[1]["TableName"]) == ("DuplicateItem", table)
    assert responses[2] == {"TableName": table, "Item": {"id": {"S": "a"}, "n": {"N": "2"}}}
    assert responses[3]["Error"] == {"Code": "ValidationError", "Message": f"{MALFORMED}Expected data manipulation"}
    assert responses[4]["Error"]["Code"] == "ResourceNotFound"
    reads = dynamodb.batch_execute_statement(
        Statements=[
            {"Statement": f'SELECT * FROM "{table}" WHERE id = ?', "Parameters": [{"S": "a"}]},
            {"Statement": f"SELECT n FROM \"{table}\" WHERE id = 'a' AND n = 2"},
            {"Statement": f"SELECT * FROM \"{table}\" WHERE id = 'none'"},
            {"Statement": f'SELECT * FROM "{table}" WHERE n = 2'},
        ],
        ReturnConsumedCapacity="TOTAL",
    )
    found = reads["Responses"]
    assert found[0]["Item"] == {"id": {"S": "a"}, "n": {"N": "2"}}
    assert found[1]["Item"] == {"n": {"N": "2"}}
    assert "Item" not in found[2]
    assert found[3]["Error"] == {
        "Code": "ValidationError",
        "Message": "Select statements within BatchExecuteStatement must specify the primary key in the where clause.",
    }
    assert [each["CapacityUnits"] for each in reads["ConsumedCapacity"]] == [1.5]


def test_transactions(dynamodb: Any, make_table: MakeTable) -> None:
    table = make_table("id")
    execute(dynamodb, f"INSERT INTO \"{table}\" VALUE {{'id': 'a', 'n': 1}}")

    def transact(*statements: str) -> Any:
        return dynamodb.execute_transaction(TransactStatements=[{"Statement": each} for each in statements])[
            "Responses"
        ]

    assert (
        transact(
            f"INSERT INTO \"{table}\" VALUE {{'id': 'b'}}",
            f"EXISTS(SELECT * FROM \"{table}\" WHERE id = 'a' AND n = 1)",
        )
        == []
    )
    with pytest.raises(ClientError) as raised:
        transact(f"UPDATE \"{table}\" SET n = 5 WHERE id = 'a'", f"INSERT INTO \"{table}\" VALUE {{'id': 'b'}}")
    assert raised.value.response["Error"]["Message"].endswith("[None, DuplicateItem]")
    assert raised.value.response["CancellationReasons"][1]["Code"] == "DuplicateItem"
    select = f'SELECT * FROM "{table}" WHERE id = '
    assert transact(f"{select}'a'", f"{select}'z'") == [{"Item": {"id": {"S": "a"}, "n": {"N": "1"}}}, {}]
    for statement, message in (
        (
            f"UPDATE \"{table}\" SET n = 5 WHERE id = 'a' RETURNING ALL NEW *",
            "Validation failed in TransactStatements[0]: RETURNING clause is not supported in ExecuteTransaction.",
        ),
        (
            f'SELECT * FROM "{table}"."i" WHERE id = \'a\'',
            "Validation failed in TransactStatements[0]: Reads on indices are not supported within transactions.",
        ),
    ):
        with pytest.raises(ClientError) as raised:
            transact(statement)
        assert raised.value.response["Error"]["Message"] == message


def test_indexes(dynamodb: Any, make_table: MakeTable) -> None:
    table = make_table(
        "id",
        "rk",
        more=[{"AttributeName": "g", "AttributeType": "S"}, {"AttributeName": "l", "AttributeType": "S"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-g",
                "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["shown"]},
            }
        ],
        LocalSecondaryIndexes=[
            {
                "IndexName": "by-l",
                "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "l", "KeyType": "RANGE"}],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
    )
    value = "{'id': 'p', 'rk': 's1', 'g': 'x', 'l': 'l1', 'shown': 1, 'hidden': 2}"
    execute(dynamodb, f'INSERT INTO "{table}" VALUE {value}')
    execute(dynamodb, f'INSERT INTO "{table}" VALUE ' + "{'id': 'p', 'rk': 's2', 'hidden': 2}")

    def names(statement: str) -> list[list[str]]:
        return [sorted(found) for found in execute(dynamodb, statement.replace("{t}", f'"{table}"'))]

    assert names("SELECT * FROM {t}.\"by-g\" WHERE g = 'x'") == [["g", "id", "rk", "shown"]]
    assert names("SELECT * FROM {t}.\"by-g\" WHERE g = 'x' AND shown = 1") == [["g", "id", "rk", "shown"]]
    assert names("SELECT * FROM {t}.\"by-l\" WHERE id = 'p'") == [["id", "l", "rk"]]
    assert names("SELECT hidden FROM {t}.\"by-l\" WHERE id = 'p'") == [["hidden"]]
    assert names('SELECT id FROM {t}."by-g" WHERE hidden = 2') == []
    assert names('SELECT id FROM {t}."by-g" WHERE NOT hidden = 2') == [["id"]]
    for where, index in (
        ("g = 'x' AND hidden = 2", "by-g"),
        ("g IN ['x'] AND NOT hidden = 2", "by-g"),
        ("id = 'p' AND l BETWEEN 'a' AND 'z' AND hidden IS MISSING", "by-l"),
    ):
        assert refused(dynamodb, f'SELECT id FROM "{table}"."{index}" WHERE {where}')[1] == (
            f"One or more parameter values were invalid: Secondary index {index} does not project one or more filter "
            "attributes: [hidden]"
        )
    assert refused(dynamodb, f'SELECT hidden FROM "{table}"."by-g" WHERE g = \'x\'')[1] == (
        "One or more parameter values were invalid: Global secondary index by-g does not project [hidden]"
    )
    consistent = f'SELECT * FROM "{table}"."by-g" WHERE g = \'x\''
    assert refused(dynamodb, consistent, ConsistentRead=True)[1] == (
        "Strongly consistent read is not supported on Global Secondary Indexes"
    )
