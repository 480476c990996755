import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.policy.helpers import ACCOUNT, ANN, ROLE, SESSION, allows, policy, request, statement

from cumulet.kernel.call import ANONYMOUS, Principal
from cumulet.policy.compiled import compile_policy
from cumulet.policy.document import Grammar
from cumulet.policy.evaluate import Policies, Source, decide

OTHER = "444455556666"
RESOURCE = Grammar.RESOURCE


def bucket(principal: Any, effect: str = "Allow", **more: Any) -> Any:
    return policy(statement(effect, "s3:*", Principal=principal, **more), grammar=RESOURCE)


def test_nothing_is_allowed_that_no_policy_allows() -> None:
    decision = decide(Policies(), request())
    assert not decision.allowed
    assert decision.reason("s3:GetObject") == "because no identity-based policy allows the s3:GetObject action"


def test_actions_match_without_case_and_with_wildcards() -> None:
    for action in ("s3:GetObject", "S3:GETOBJECT", "s3:Get*", "s3:*", "*", "s3:?etObject"):
        assert allows(policy(statement(action=action)), request()), action
    assert not allows(policy(statement(action="s3:Put*")), request())


def test_not_action_and_not_resource() -> None:
    everything_else = {"Effect": "Allow", "NotAction": "s3:Put*", "NotResource": "arn:aws:s3:::secret/*"}
    assert allows(policy(everything_else), request())
    assert not allows(policy(everything_else), request("s3:PutObject"))
    assert not allows(policy(everything_else), request(resource="arn:aws:s3:::secret/plan"))


def test_variables_in_resources() -> None:
    home = policy(statement(resource="arn:aws:s3:::home/${aws:username}/*"))
    mine = request(resource="arn:aws:s3:::home/ann/a", aws__username="ann")
    assert allows(home, mine)
    assert not allows(home, request(resource="arn:aws:s3:::home/bob/a", aws__username="ann"))
    assert not allows(home, request(resource="arn:aws:s3:::home/${aws:username}/a"))  # a role has no user name
    assert not allows(home, request(resource="arn:aws:s3:::home/bob/a", aws__username="*"))  # a value is no pattern


def test_variables_with_defaults_and_escapes() -> None:
    tagged = policy(statement(resource="arn:aws:s3:::x/${aws:PrincipalTag/team, 'none'}/${*}"))
    assert allows(tagged, request(resource="arn:aws:s3:::x/none/*"))
    assert not allows(tagged, request(resource="arn:aws:s3:::x/none/a"))
    red: Any = {"aws__principaltag/team": "red"}
    assert allows(tagged, request(resource="arn:aws:s3:::x/red/*", **red))


def test_the_old_version_has_no_variables() -> None:
    text = {"Version": "2008-10-17", "Statement": [statement(resource="arn:aws:s3:::${aws:username}")]}
    old = compile_policy(json.dumps(text), Grammar.IDENTITY)
    assert allows(old, request(resource="arn:aws:s3:::${aws:username}", aws__username="ann"))
    assert not allows(old, request(resource="arn:aws:s3:::ann", aws__username="ann"))


def test_a_boundary_limits_and_gives_nothing() -> None:
    everything, reads = policy(statement()), policy(statement(action="s3:Get*"))
    assert decide(Policies(identity=[everything], boundary=reads), request()).allowed
    refused = decide(Policies(identity=[everything], boundary=reads), request("s3:PutObject"))
    assert refused.source is Source.BOUNDARY
    assert not decide(Policies(boundary=everything), request()).allowed


def test_session_policies_limit() -> None:
    everything, reads = policy(statement()), policy(statement(action="s3:Get*"))
    limited = Policies(identity=[everything], session=[reads])
    assert decide(limited, request()).allowed
    refused = decide(limited, request("s3:PutObject"))
    assert refused.reason("s3:PutObject") == "because no session policy allows the s3:PutObject action"


def test_an_organization_must_allow_at_every_level() -> None:
    everything, reads = policy(statement()), policy(statement(action="s3:Get*"))
    levels = Policies(identity=[everything], organization=[[everything], [reads]])
    assert decide(levels, request()).allowed
    assert decide(levels, request("s3:PutObject")).source is Source.ORGANIZATION


def test_a_resource_policy_lets_in_its_own_account_alone() -> None:
    named = Policies(resource=bucket({"AWS": ANN.arn}))
    assert decide(named, request()).allowed
    elsewhere = Policies(resource=bucket({"AWS": ANN.arn}), same_account=False)
    assert decide(elsewhere, request()).source is Source.IDENTITY
    both = Policies(identity=[policy(statement())], resource=bucket({"AWS": ANN.arn}), same_account=False)
    assert decide(both, request()).allowed


def test_the_other_account_must_let_in_too() -> None:
    only_mine = Policies(identity=[policy(statement())], same_account=False)
    assert decide(only_mine, request()).source is Source.RESOURCE


@pytest.mark.parametrize("account", [ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root"])
def test_an_account_as_principal_hands_the_decision_to_that_account(account: str) -> None:
    delegated = bucket({"AWS": account})
    assert not decide(Policies(resource=delegated), request()).allowed
    assert decide(Policies(identity=[policy(statement())], resource=delegated, same_account=False), request()).allowed


def test_a_role_as_principal_is_limited_by_its_session_and_a_session_is_not() -> None:
    reads = policy(statement(action="sqs:*"))
    asked = request(principal=SESSION, role_arn=ROLE)
    by_role = Policies(resource=bucket({"AWS": ROLE}), session=[reads])
    assert decide(by_role, asked).source is Source.SESSION
    assert decide(Policies(resource=bucket({"AWS": ROLE})), asked).allowed
    assert decide(Policies(resource=bucket({"AWS": SESSION.arn}), session=[reads]), asked).allowed


def test_services_and_strangers_need_a_resource_policy() -> None:
    s3 = Principal.service("s3.amazonaws.com", ACCOUNT)
    invoke = Policies(resource=bucket({"Service": "s3.amazonaws.com"}))
    assert decide(invoke, request(principal=s3)).allowed
    assert not decide(invoke, request(principal=Principal.service("sns.amazonaws.com"))).allowed
    assert decide(invoke, request(principal=Principal.service("s3.eu-west-1.amazonaws.com"))).allowed
    assert not decide(invoke, request(principal=Principal.service("s3.application-x.amazonaws.com"))).allowed
    assert not decide(Policies(identity=[policy(statement())]), request(principal=s3)).allowed
    assert not decide(invoke, request(principal=ANONYMOUS)).allowed
    assert decide(Policies(resource=bucket("*")), request(principal=ANONYMOUS)).allowed


def test_not_principal() -> None:
    all_but_ann = policy(
        {"Effect": "Deny", "NotPrincipal": {"AWS": [ANN.arn]}, "Action": "*", "Resource": "*"}, grammar=RESOURCE
    )
    everything = [policy(statement())]
    assert decide(Policies(identity=everything, resource=all_but_ann), request()).allowed
    bob = Principal("user", f"arn:aws:iam::{ACCOUNT}:user/bob", "AIDAB", ACCOUNT)
    assert decide(Policies(identity=everything, resource=all_but_ann), request(principal=bob)).explicit


def test_a_trust_policy_alone_lets_anyone_in() -> None:
    everything = [policy(statement())]
    assert not decide(Policies(identity=everything, trust=True), request("sts:AssumeRole")).allowed
    trust = policy({"Effect": "Allow", "Principal": {"AWS": ANN.arn}, "Action": "sts:AssumeRole"}, grammar=RESOURCE)
    assert decide(Policies(resource=trust, trust=True), request("sts:AssumeRole")).allowed


EFFECTS = st.sampled_from(["Allow", "Deny"])
ACTIONS = st.sampled_from(["*", "s3:*", "s3:Get*", "s3:PutObject", "sqs:*"])
RESOURCES = st.sampled_from(["*", "arn:aws:s3:::photos/*", "arn:aws:s3:::*/cat.jpg", "arn:aws:s3:::other"])
STATEMENTS = st.builds(statement, EFFECTS, ACTIONS, RESOURCES)
REQUESTS = st.builds(
    request,
    st.sampled_from(["s3:GetObject", "s3:PutObject", "sqs:SendMessage"]),
    st.sampled_from(["arn:aws:s3:::photos/cat.jpg", "arn:aws:s3:::other", "arn:aws:s3:::x/cat.jpg"]),
)


@given(st.lists(STATEMENTS, min_size=1, max_size=5), REQUESTS)
def test_a_matching_deny_always_wins(statements: list[dict[str, Any]], asked: Any) -> None:
    deny = statement("Deny", asked.action, asked.resource)
    for position in range(len(statements) + 1):
        document = policy(*statements[:position], deny, *statements[position:])
        assert decide(Policies(identity=[document]), asked).explicit
    everything = policy(statement())
    limits = Policies(identity=[everything], boundary=policy(deny, statement()))
    assert decide(limits, asked).explicit


@given(
    st.lists(STATEMENTS, min_size=1, max_size=5).flatmap(lambda s: st.tuples(st.just(s), st.permutations(s))), REQUESTS
)
def test_the_order_of_statements_does_not_matter(orders: tuple[list[Any], list[Any]], asked: Any) -> None:
    one, other = (decide(Policies(identity=[policy(*order)]), asked) for order in orders)
    assert (one.allowed, one.explicit) == (other.allowed, other.explicit)


@given(st.lists(STATEMENTS, min_size=1, max_size=5), EFFECTS, REQUESTS)
def test_a_statement_about_something_else_changes_nothing(
    statements: list[dict[str, Any]], effect: str, asked: Any
) -> None:
    before = decide(Policies(identity=[policy(*statements)]), asked)
    after = decide(Policies(identity=[policy(*statements, statement(effect, "ec2:*"))]), asked)
    assert (before.allowed, before.explicit) == (after.allowed, after.explicit)


@given(st.lists(STATEMENTS, min_size=1, max_size=5), REQUESTS)
def test_one_policy_or_several_with_the_same_statements(statements: list[dict[str, Any]], asked: Any) -> None:
    together = decide(Policies(identity=[policy(*statements)]), asked)
    apart = decide(Policies(identity=[policy(item) for item in statements]), asked)
    assert (together.allowed, together.explicit) == (apart.allowed, apart.explicit)


@given(st.lists(STATEMENTS, min_size=1, max_size=4), st.lists(STATEMENTS, min_size=1, max_size=4), REQUESTS)
def test_a_limit_never_adds(own: list[dict[str, Any]], limit: list[dict[str, Any]], asked: Any) -> None:
    free = decide(Policies(identity=[policy(*own)]), asked)
    limited = decide(Policies(identity=[policy(*own)], boundary=policy(*limit), session=[policy(*limit)]), asked)
    assert free.allowed or not limited.allowed
