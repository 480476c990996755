import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cumulet.policy.check import check_identity_policy, check_trust_policy
from cumulet.policy.document import Grammar, PolicyError, parse

TRUST = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}


def document(*statements: dict[str, Any], **top: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)} | top)


def test_scalars_and_lists_mean_the_same() -> None:
    one = parse(document({"Effect": "Allow", "Action": "s3:*", "Resource": "*"}), Grammar.IDENTITY)
    many = parse(document({"Effect": "Allow", "Action": ["s3:*"], "Resource": ["*"]}), Grammar.IDENTITY)
    assert one.statements == many.statements


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ({"Effect": "Allow", "Resource": "*"}, "Policy statement must contain actions."),
        ({"Effect": "Allow", "Action": "s3:Get*"}, "Policy statement must contain resources."),
        ({"Effect": "Maybe", "Action": "s3:Get*", "Resource": "*"}, "Syntax errors in policy."),
        (
            {"Effect": "Allow", "Action": "GetObject", "Resource": "*"},
            "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
        ),
        (
            {"Effect": "Allow", "Action": "s3:*", "Resource": "bucket"},
            'Resource bucket must be in ARN format or "*".',
        ),
        (
            {"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Principal": "*"},
            "Policy document should not specify a principal.",
        ),
        ({"Effect": "Allow", "Action": "s3:*", "NotAction": "s3:*", "Resource": "*"}, "Syntax errors in policy."),
        ({"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Extra": 1}, "Syntax errors in policy."),
    ],
)
def test_what_an_identity_policy_may_not_be(statement: dict[str, Any], message: str) -> None:
    with pytest.raises(PolicyError) as caught:
        check_identity_policy(document(statement))
    assert str(caught.value) == message


def test_an_old_version_is_refused_for_identities() -> None:
    allow = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    with pytest.raises(PolicyError, match="must be version 2012-10-17 or greater"):
        check_identity_policy(document(allow, Version="2008-10-17"))


def test_statement_ids_are_unique() -> None:
    allow = {"Sid": "one", "Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    with pytest.raises(PolicyError, match=r"Statement IDs \(SID\) in a single policy must be unique"):
        check_identity_policy(document(allow, allow))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"Resource": "*"}, "Has prohibited field Resource"),
        ({"Action": "s3:GetObject"}, "AssumeRole policy may only specify STS AssumeRole actions."),
        ({"Principal": {"AWS": "nobody"}}, 'Invalid principal in policy: "AWS":"nobody"'),
        ({"Principal": None}, "Missing required field Principal"),
    ],
)
def test_what_a_trust_policy_may_not_be(change: dict[str, Any], message: str) -> None:
    statement = {name: value for name, value in (TRUST | change).items() if value is not None}
    with pytest.raises(PolicyError) as caught:
        check_trust_policy(document(statement))
    assert str(caught.value) == message


def test_text_that_is_no_json() -> None:
    with pytest.raises(PolicyError, match="This policy contains invalid Json"):
        check_trust_policy('{"Version": "2012-10-17",}')
    with pytest.raises(PolicyError, match="Syntax errors in policy"):
        check_identity_policy("{")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["Allow", "*", "s3:Get*"]),
    lambda children: (
        st.lists(children, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["Version", "Statement", "Effect", "Action", "Resource", "Principal", "Condition", "Sid", "x"]
            ),
            children,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@given(JSON, st.sampled_from(Grammar))
def test_whatever_is_sent_is_a_policy_or_an_error(value: Any, grammar: Grammar) -> None:
    with contextlib.suppress(PolicyError):
        assert parse(json.dumps(value), grammar).statements


@given(st.text(max_size=60))
def test_any_text_is_a_policy_or_an_error(text: str) -> None:
    for check in (check_identity_policy, check_trust_policy):
        with pytest.raises(PolicyError):
            check(text)
