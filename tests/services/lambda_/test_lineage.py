"""The trace header as it goes from one invocation to the next."""

import re

from hypothesis import given
from hypothesis import strategies as st

from cumulet.services.lambda_.lineage import step

NOW = 1_700_000_000.0
SHAPE = re.compile(r"Root=[^;]+;Parent=[^;]+;Sampled=[01];Lineage=1:[^;]+")


def test_a_chain_begins_with_a_header_of_its_own() -> None:
    header, before = step("", "aaaaaaaa", NOW)
    assert before == 0
    assert re.fullmatch(r"Root=1-6553f100-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=0;Lineage=1:aaaaaaaa:0", header)


def test_each_function_is_counted_for_itself() -> None:
    header, _ = step("Root=1-5-6;Parent=7;Sampled=1", "aaaaaaaa", NOW)
    header, _ = step(header, "bbbbbbbb", NOW)
    header, before = step(header, "aaaaaaaa", NOW)
    assert before == 1
    assert header == "Root=1-5-6;Parent=7;Sampled=1;Lineage=1:aaaaaaaa:1|bbbbbbbb:0"


def test_the_older_form_without_a_version_is_understood() -> None:
    assert step("Root=1-5-6;Lineage=aaaaaaaa:4", "aaaaaaaa", NOW)[1] == 5


def test_a_chain_of_many_functions_stays_short() -> None:
    header = ""
    for number in range(200):
        header, _ = step(header, f"{number:08x}", NOW)
    assert len(header) < 1000


@given(st.text(max_size=200) | st.from_regex(r"Lineage=[0-9a-f:|]{0,60}(;Root=.{0,10})?"))
def test_whatever_comes_gives_a_header(trace: str) -> None:
    header, before = step(trace.replace("\n", ""), "aaaaaaaa", NOW)
    assert before >= 0
    assert SHAPE.fullmatch(header.replace("\n", " "))
