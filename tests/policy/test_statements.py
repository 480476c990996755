import msgspec
import pytest

from cumulet.api import dynamodb as api
from cumulet.policy.statements import Head, head, heads


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("SELECT * FROM t WHERE a = 'FROM x'", Head("PartiQLSelect", "t", "")),
        ('select a."FROM", b.from /* FROM y */ from "t 1"."i"', Head("PartiQLSelect", "t 1", "i")),
        ('-- SELECT\nINSERT INTO "a""b" VALUE {\'x\': 1}', Head("PartiQLInsert", 'a"b', "")),
        ("UPDATE t SET a = 1", Head("PartiQLUpdate", "t", "")),
        ("DELETE FROM t", Head("PartiQLDelete", "t", "")),
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
    assert list(heads(batch)) == [("PartiQLSelect", "a", "i"), ("PartiQLDelete", "b", "")]
