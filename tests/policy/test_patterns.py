import fnmatch

from hypothesis import given
from hypothesis import strategies as st

from cumulet.policy.patterns import arn_matcher, literal, matcher, wildcards

PATTERNS = st.text("ab*?", max_size=12)
TEXTS = st.text("ab", max_size=16)


@given(PATTERNS, TEXTS)
def test_wildcards_match_as_the_standard_library_says(pattern: str, text: str) -> None:
    assert matcher(wildcards(pattern))(text) is fnmatch.fnmatchcase(text, pattern)


@given(st.text(max_size=20))
def test_literal_text_matches_itself_whatever_is_in_it(text: str) -> None:
    assert matcher(literal(text))(literal(text))
    assert not matcher(literal(text))(literal(text) + "x")


def test_a_hostile_pattern_costs_no_more_than_the_text_is_long() -> None:
    hostile = matcher(wildcards("*a" * 2_000 + "b"))
    assert not hostile("a" * 5_000)  # backtracking would take longer than the suite's time limit


def test_an_arn_pattern_keeps_within_the_parts_of_the_arn() -> None:
    match = arn_matcher(wildcards("arn:aws:s3:*:111122223333:photos/*"))
    assert match("arn:aws:s3:eu-west-1:111122223333:photos/a:b/c")
    assert not match("arn:aws:s3:eu-west-1:x:111122223333:photos/a")
    assert arn_matcher(wildcards("*"))("anything")
