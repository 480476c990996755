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
LEFTOVER = f"{MALFORMED}Unexpected token after expression"
COUNT = "Incorrect number of operands for operator or function"
OVERFLOW = "Number overflow. Attempting to store a number with magnitude larger than supported range"


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
        ("SELECT * FROM {t} WHERE id = 'x' foo", LEFTOVER),
        ("SELECT * FROM {t} WHERE id = 1 e5", LEFTOVER),
        ("INSERT INTO {t} VALUE {'id': 'x'} foo", LEFTOVER),
        ("INSERT INTO {t} t VALUE {'id': 'x'}", LEFTOVER),
        ("DELETE FROM {t} WHERE id = 'x' ORDER BY id", LEFTOVER),
        ("SELECT * FROM {t} ORDER BY id WHERE id = 'x'", LEFTOVER),
        ("FROM {t} SET c = 1 WHERE id = 'x'", LEFTOVER),
        ("SELECT * FROM {t} WHERE id = 1)", LEFTOVER),
        ("SELECT * FROM {t} t WHERE id = 'x'", "Aliasing is not supported"),
        ("SELECT * FROM {t} AS t WHERE id = 'x'", "Aliasing is not supported"),
        ("UPDATE {t} t SET a = 3 WHERE id = 'x'", "Aliasing is not supported"),
        ("DELETE FROM {t} t WHERE id = 'x'", "Aliasing is not supported"),
        ("SELECT * FROM {t} WHERE id = 1 # note", MALFORMED),
        ("SELECT * FROM {t} WHERE id = 1 /* note", MALFORMED),
        ("SELECT * FROM {t} WHERE id = 1e2147483648", MALFORMED),
        ("SELECT * FROM {t} WHERE id = 1.5e-2147483647", MALFORMED),
        (f"SELECT * FROM {{t}} WHERE id = 1e{'9' * 5000}", MALFORMED),
        ("SELECT * FROM {t} WHERE id = 1e126", f"{OVERFLOW} under root"),
        ("INSERT INTO {t} VALUE {'id': 1e126}", f"{OVERFLOW} under root"),
        ("INSERT INTO {t} VALUE {'id': 'x', 'm': {'x': 1e126}}", f"{OVERFLOW} under root.x"),
        ("INSERT INTO {t} VALUE {'id': 'x', 'l': [1, 1e126]}", f"{OVERFLOW} under root[1]"),
        ("SELECT * FROM {t} WHERE", f"{MALFORMED}Unexpected term"),
        ("SELECT * FROM {t} WHERE;", f"{MALFORMED}Unexpected term"),
        ("UPDATE {t} SET a = 1 WHERE", f"{MALFORMED}Unexpected term"),
        ("SELECT * FROM {t} WHERE NOT", f"{MALFORMED}Unexpected term"),
        ("SELECT * FROM {t} WHERE (", f"{MALFORMED}Unexpected term"),
        ("SELECT * FROM", f"{MALFORMED}Unexpected term"),
        ("SELECT * FROM {t} WHERE ORDER BY id", f"{MALFORMED}Unexpected keyword"),
        ("SELECT * FROM {t} WHERE IS NULL", f"{MALFORMED}Unexpected operator"),
        ("SELECT * FROM {t} WHERE id = LIKE", f"{MALFORMED}Unexpected operator"),
        ("SELECT * FROM {t} WHERE id = 'x' AND", f"{MALFORMED}Missing right-hand side expression of infix operator"),
        ("SELECT * FROM {t} WHERE id = 'x' OR", f"{MALFORMED}Missing right-hand side expression of infix operator"),
        ("SELECT * FROM {t} WHERE id = 'a' AND x IS FOO", f"{MALFORMED}Expected type name"),
        ("DELETE FROM", f"{MALFORMED}Expected identifier for simple path"),
        ("DELETE FROM;", f"{MALFORMED}Expected identifier for simple path"),
        ("DELETE FROM WHERE id = 'a'", f"{MALFORMED}Expected identifier for simple path"),
        ("FROM {t} SET c = 1", "Where clause does not contain a mandatory equality on all key attributes"),
        ("FROM {t} WHERE a = 1 SET c = 1", "Where clause does not contain a mandatory equality on all key attributes"),
        (
            "SELECT * FROM {t} WHERE id = 'x' AND attribute_exists('ss')",
            "Operator or function requires a document path; operator or function: attribute_exists",
        ),
        (
            "SELECT * FROM {t} WHERE id = 'x' AND attribute_exists()",
            f"{COUNT}; operator or function: attribute_exists, number of operands: 0",
        ),
        (
            "DELETE FROM {t} WHERE id = 'x' RETURNING MODIFIED OLD *",
            "Invalid returning clause: RETURNING MODIFIED OLD *. Only RETURNING ALL OLD * is allowed in DELETE statements.",
        ),
    ],
)
def test_statements_that_are_refused(dynamodb: Any, make_table: MakeTable, statement: str, message: str) -> None:
    assert refused(dynamodb, statement.replace("{t}", f'"{make_table()}"')) == ("ValidationException", message)


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("SELECT attribute_exists(ss) FROM t WHERE id = 'x'", "Unexpected path component at 1:8:16"),
        ("SELECT * FROM t WHERE EXISTS(ss)", "Unrecognized function: exists at 1:23:6"),
        ("SELECT *\nFROM t\n WHERE set_add(ss, <<'x'>>) = ss", "Unrecognized function: set_add at 3:8:7"),
        (
            "UPDATE t SET t = set_add(ss, <<'x'>>) WHERE id = 'x'",
            "The first argument to SET_ADD must equal the assignment value at 1:18:7",
        ),
        (
            "UPDATE t SET ss = set_add(<<'a'>>, <<'b'>>) WHERE id = 'x'",
            "The first argument to SET_ADD must equal the assignment value at 1:19:7",
        ),
        (
            "UPDATE t SET ss = set_delete(ss, 'x') WHERE id = 'x'",
            "The second argument to SET_DELETE must be a value with type SET at 1:30:2",
        ),
        (
            "UPDATE t SET ss = set_add(ss, ['x']) WHERE id = 'x'",
            "The second argument to SET_ADD must be a value with type SET at 1:27:2",
        ),
        ("UPDATE t SET ss = set_add(ss) WHERE id = 'x'", "SET_ADD must have exactly two arguments at 1:19:7"),
        (
            "UPDATE t SET ss = set_add(ss, <<'x'>>, <<'y'>>) WHERE id = 'x'",
            "SET_ADD must have exactly two arguments at 1:19:7",
        ),
        ("UPDATE t SET ss = set_add(ss, <<>>) WHERE id = 'x'", "Empty bags are not supported"),
        (
            "UPDATE t SET ss = set_add(ss, <<'x', 'x'>>) WHERE id = 'x'",
            "One or more parameter values were invalid: Input collection [x, x] contains duplicates.",
        ),
        (
            "INSERT INTO t VALUE {'id': 'x', 'ss': set_add(<<'a'>>, <<'b'>>)}",
            "Unsupported data type: set_add under key root at 1:39:7",
        ),
    ],
)
def test_messages_say_where(dynamodb: Any, statement: str, message: str) -> None:
    assert refused(dynamodb, statement) == ("ValidationException", message)


def test_updates_may_begin_with_from(dynamodb: Any, make_table: MakeTable) -> None:
    table = make_table("id")
    execute(dynamodb, f"INSERT INTO \"{table}\" VALUE {{'id': 'a', 'a': 1, 'b': 'bee'}}")
    source = f"FROM \"{table}\" WHERE id = 'a'"
    returned = execute(dynamodb, f"{source} AND a = 1 SET c = ? REMOVE b RETURNING ALL NEW *", Parameters=[{"N": "7"}])
    assert returned == [{"id": {"S": "a"}, "a": {"N": "1"}, "c": {"N": "7"}}]
    execute(dynamodb, f"from \"{table}\" where id = 'a' remove c")
    assert refused(dynamodb, f"{source} AND a = 2 SET c = 5")[0] == "ConditionalCheckFailedException"
    assert refused(dynamodb, f"FROM \"{table}\" WHERE id = 'b' SET c = 5")[0] == "ConditionalCheckFailedException"
    dynamodb.execute_transaction(TransactStatements=[{"Statement": f"{source} SET d = 1"}])
    [done] = dynamodb.batch_execute_statement(Statements=[{"Statement": f"{source} SET e = 1"}])["Responses"]
    assert "Error" not in done
    assert dynamodb.scan(TableName=table)["Items"] == [
        {"id": {"S": "a"}, "a": {"N": "1"}, "d": {"N": "1"}, "e": {"N": "1"}}
    ]


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("flag IS BOOL", True),
        ("s IS STRING", True),
        ("s IS NOT STRING", False),
        ("s IS BOOL", False),
        ("nul IS NULL", True),
        ("attribute_exists(s) = true", True),
        ("attribute_exists(none) = true", False),
        ("attribute_exists(none) = false", True),
        ("NOT attribute_exists(none) AND (ATTRIBUTE_EXISTS(s) OR attribute_exists(none))", True),
    ],
)
def test_types_and_functions_are_conditions(dynamodb: Any, make_table: MakeTable, condition: str, found: bool) -> None:
    table = make_table("id")
    execute(dynamodb, f"INSERT INTO \"{table}\" VALUE {{'id': 'a', 'flag': true, 's': 'str', 'nul': null}}")
    assert len(execute(dynamodb, f"SELECT * FROM \"{table}\" WHERE id = 'a' AND {condition}")) == found


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


def test_statements_of_transactions_that_are_refused(dynamodb: Any, make_table: MakeTable) -> None:
    table = make_table("id")
    whole = f"SELECT * FROM \"{table}\" WHERE id = 'a'"
    for statement, message in (
        (f'SELECT * FROM "{table}" WHERE', f"{MALFORMED}Unexpected term"),
        (
            f"{whole} AND attribute_exists(ss)",
            "Select statements within ExecuteTransaction must specify the primary key in the where clause.",
        ),
        (f"EXISTS({whole})", "EXISTS() must contain a single item read with additional condition"),
    ):
        with pytest.raises(ClientError) as caught:
            dynamodb.execute_transaction(TransactStatements=[{"Statement": statement}])
        told = caught.value.response["Error"]["Message"]
        assert told == f"Validation failed in TransactStatements[0]: {message}"


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
