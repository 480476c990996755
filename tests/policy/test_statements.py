import msgspec
import pytest

from cumulet.api import dynamodb as api
from cumulet.kernel.call import Call, Principal
from cumulet.policy.needs import needs
from cumulet.policy.statements import Head, head, heads


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("SELECT * FROM t WHERE a = 'FROM x'", Head("PartiQLSelect", "t", "")),
        ('select a."FROM", b.from /* FROM y */ from "t 1"."i"', Head("PartiQLSelect", "t 1", "i")),
        ('-- SELECT\nINSERT INTO "a""b" VALUE {\'x\': 1}', Head("PartiQLInsert", 'a"b', "")),
        ("UPDATE t SET a = 1", Head("PartiQLUpdate", "t", "")),
        ("DELETE FROM t", Head("PartiQLDelete", "t", "")),
        ('FROM "t" WHERE a = 1 SET b = 2', Head("PartiQLUpdate", "t", "")),
        ("EXISTS(SELECT * FROM t)", Head("PartiQLSelect", "t", "")),
        ("SLECT * FROM t", None),
        ("SELECT *", None),
        ("", None),
    ],
)
def test_what_statements_do_to_what(statement: str, expected: Head | None) -> None:
    assert head(statement) == expected


def test_every_statement_needs_its_permission() -> None:
    batch = msgspec.convert(
        {"Statements": [{"Statement": "SELECT * FROM a.i"}, {"Statement": "nonsense"}, {"Statement": "DELETE FROM b"}]},
        api.BatchExecuteStatementInput,
    )
    assert [found for found, _ in heads(batch)] == [("PartiQLSelect", "a", "i"), ("PartiQLDelete", "b", "")]


def test_statements_need_their_permission_on_their_own_table_or_index() -> None:
    call = Call("111122223333", "us-east-1", Principal.root("111122223333"), "request-1")
    request = api.ExecuteStatementInput(statement='SELECT * FROM "t"."i" WHERE a = \'FROM x\'')
    [need] = needs(call, "dynamodb", "ExecuteStatement", request)
    arn = "arn:aws:dynamodb:us-east-1:111122223333:table/t/index/i"
    assert (need.action, need.resource) == ("dynamodb:PartiQLSelect", arn)
