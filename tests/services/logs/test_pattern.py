"""Filter patterns, by the examples and rules of AWS's "Filter pattern syntax", and properties that hold for any text."""

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cumulet.kernel.errors import NotImplementedHere
from cumulet.services.logs.pattern import PatternError, compile_pattern

REQUEST = '127.0.0.1 Prod frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534'
EVENT = json.dumps(
    {
        "eventType": "UpdateTrail",
        "sourceIPAddress": "111.111.111.111",
        "arrayKey": ["value", "another value"],
        "objectList": [{"name": "a", "id": 1}, {"name": "b", "id": 2}],
        "SomeObject": None,
        "cluster.name": "c",
        "ok": True,
        "bad": False,
        "latency": 12.5,
        "text": "404",
    }
)


@pytest.mark.parametrize(
    ("pattern", "message", "expected"),
    [
        ("", "anything", True),
        (" ", "anything", True),
        ("ERROR", "[ERROR 400] BAD REQUEST", True),
        ("ERROR", "[error 400] BAD REQUEST", False),
        ("ERROR ARGUMENTS", "[ERROR 419] MISSING ARGUMENTS", True),
        ("ERROR ARGUMENTS", "[ERROR 400] BAD REQUEST", False),
        ("?ERROR ?ARGUMENTS", "UNAUTHORIZED ARGUMENTS", True),
        ("?ERROR ?ARGUMENTS", "UNAUTHORIZED", False),
        ("?ERROR ?WARN REQUEST", "a plain REQUEST", True),
        ('"INTERNAL SERVER ERROR"', "[ERROR 500] INTERNAL SERVER ERROR", True),
        ('"INTERNAL SERVER ERROR"', "SERVER INTERNAL ERROR", False),
        ("ERROR -ARGUMENTS", "[ERROR 400] BAD REQUEST", True),
        ("ERROR -ARGUMENTS", "[ERROR 419] MISSING ARGUMENTS", False),
        ('-"not this"', "but not this", False),
        (r'"say \"hi\""', 'they say "hi"', True),
    ],
)
def test_terms(pattern: str, message: str, expected: bool) -> None:
    assert compile_pattern(pattern).matches(message) is expected


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ('{ $.eventType = "UpdateTrail" }', True),
        ("{$.eventType=UpdateTrail}", True),
        ('{ $.eventType = "Update*" }', True),
        ('{ $.eventType = "*date*ail" }', True),
        ('{ $.eventType = "*dateX*" }', False),
        ('{ $.eventType != "UpdateTrail" }', False),
        ("{ $.sourceIPAddress != 123.123.* }", True),
        ("{ $.sourceIPAddress = 111.111.* }", True),
        ('{ $.arrayKey[0] = "value" }', True),
        ('{ $.arrayKey[1] = "value" }', False),
        ('{ $.arrayKey[*] = "another value" }', True),
        ("{ $.objectList[1].id = 2 }", True),
        ("{ $.objectList[*].id > 1 }", True),
        ("{ $.objectList[7].id = 2 }", False),
        ("{ $.SomeObject IS NULL }", True),
        ("{ $.eventType IS NULL }", False),
        ("{ $.Missing NOT EXISTS }", True),
        ("{ $.SomeObject NOT EXISTS }", False),
        ("{ $.ok IS TRUE && $.bad IS FALSE }", True),
        ("{ $.ok IS FALSE }", False),
        ("{ $.latency > 1e1 }", True),
        ("{ $.latency <= 12.5 && $.latency >= 12.5 }", True),
        ("{ $.latency = 12.50 }", True),
        ("{ $.text = 404 }", True),
        ("{ $.Missing = 1 }", False),
        ("{ $.Missing != 1 }", False),
        ('{ $.["cluster.name"] = "c" }', True),
        ("{ $['cluster.name'] = \"c\" }", True),
        ("{ ($.latency > 100 || $.ok IS TRUE) && $.eventType = U* }", True),
        ("{ $.latency > 100 || $.ok IS TRUE && $.bad IS TRUE }", False),
        ("{ $.eventType.deeper = 1 }", False),
    ],
)
def test_json(pattern: str, expected: bool) -> None:
    assert compile_pattern(pattern).matches(EVENT) is expected
    assert compile_pattern(pattern).matches("not json") is False


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("[ip, env, user, time, request, status, bytes]", True),
        ("[ip, env, user, time, request, status]", False),
        ("[ip, env, user, time, request, status = 4*, bytes > 1000]", True),
        ("[ip, env, user, time, request, status = 4*, bytes > 2000]", False),
        ("[ip, env, user, time, request, status = 404 || status = 410, bytes]", True),
        ('[ip, env, user, time, request = *html*, status != "5*" && status != 403, bytes]', True),
        ("[ip, ..., bytes = 1534]", True),
        ("[..., status = 404, bytes]", True),
        ("[..., status = 403, bytes]", False),
        ("[ip = 127.*, ...]", True),
        ('[ip, env, user, time = "10/Oct*", ...]', True),
        ("[]", True),
    ],
)
def test_fields(pattern: str, expected: bool) -> None:
    assert compile_pattern(pattern).matches(REQUEST) is expected


def test_values_named_by_a_pattern_are_extracted() -> None:
    assert compile_pattern("{ $.eventType = U* && $.latency > 1 }").extract(EVENT) == {
        "$.eventType": "UpdateTrail",
        "$.latency": "12.5",
    }
    assert compile_pattern("[ip, ..., status, bytes]").extract(REQUEST) == {
        "$ip": "127.0.0.1",
        "$2": "Prod",
        "$3": "frank",
        "$4": "10/Oct/2000:13:25:15 -0700",
        "$5": "GET /index.html HTTP/1.0",
        "$status": "404",
        "$bytes": "1534",
    }


@pytest.mark.parametrize(
    "pattern",
    [
        "{ }",
        "{ $.a }",
        "{ $.a = }",
        "{ $.a = 1",
        "{ $.a > word }",
        "{ $.a = 1 } more",
        "{ a = 1 }",
        "{ $ = 1 }",
        "[a, b",
        "[a, ..., ...]",
        "[a = 1 || b = 2]",
        "[a] x",
        "foo:bar",
        "{" + "(" * 900 + "}",
    ],
)
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(PatternError):
        compile_pattern(pattern)


@pytest.mark.parametrize("pattern", ["%ERR.*%", "{ $.a = %x+% }", "[a = %x%]"])
def test_regular_expressions_are_said_to_be_missing(pattern: str) -> None:
    with pytest.raises(NotImplementedHere):
        compile_pattern(pattern)


def test_a_message_may_be_absurd() -> None:
    pattern = compile_pattern("{ $.a.b = 1 }")
    assert not pattern.matches('{"a":' * 100_000)
    assert not pattern.matches("[" * 100_000)
    assert compile_pattern('{ $.a = "*a*a*a*a*a*a*b" }').matches(json.dumps({"a": "a" * 100_000})) is False
    assert compile_pattern("{ $.a > 1 }").matches('{"a": 1' + "0" * 5_000 + "}") is False


WORD = st.text("abcXYZ019_", min_size=1, max_size=6)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=80), st.text(max_size=80))
def test_any_text_compiles_or_is_refused_and_never_breaks(pattern: str, message: str) -> None:
    for text in (pattern, "{" + pattern + "}", "[" + pattern + "]", "{ $.a = " + pattern):
        try:
            compiled = compile_pattern(text)
        except (PatternError, NotImplementedHere):
            continue
        assert compiled.matches(message) in (True, False)
        assert isinstance(compiled.extract(message), dict)


@given(st.text(max_size=40), st.text(max_size=10), st.text(max_size=40))
def test_a_quoted_phrase_is_found_wherever_it_stands(before: str, phrase: str, after: str) -> None:
    escaped = phrase.replace("\\", "\\\\").replace('"', '\\"')
    assert compile_pattern(f'"{escaped}"').matches(before + phrase + after)
    assert not compile_pattern(f'-"{escaped}"').matches(before + phrase + after)


@given(st.lists(WORD, min_size=1, max_size=4), st.lists(WORD, max_size=6))
def test_terms_agree_with_their_definition(terms: list[str], words: list[str]) -> None:
    message = " ".join(words)
    assert compile_pattern(" ".join(terms)).matches(message) == all(term in message for term in terms)
    assert compile_pattern(" ".join("?" + term for term in terms)).matches(message) == any(
        term in message for term in terms
    )


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.sampled_from(["<", ">", "<=", ">=", "=", "!="]))
def test_numbers_compare_as_numbers(left: float, right: float, sign: str) -> None:
    expected = {
        "<": left < right,
        ">": left > right,
        "<=": left <= right,
        ">=": left >= right,
        "=": math.isclose(left, right, rel_tol=0, abs_tol=0),
        "!=": left != right,
    }[sign]
    assert compile_pattern(f"{{ $.n {sign} {right!r} }}").matches(json.dumps({"n": left})) == expected


@given(st.lists(st.text("ab", max_size=3), min_size=1, max_size=4), st.text("ab", max_size=10))
def test_stars_stand_for_any_run_of_characters(parts: list[str], value: str) -> None:
    import re

    wanted = re.compile("(?s:" + ".*".join(map(re.escape, parts)) + r")\Z").match(value) is not None
    assert compile_pattern('{ $.v = "' + "*".join(parts) + '" }').matches(json.dumps({"v": value})) == wanted


@pytest.mark.timeout(200)
def test_a_line_of_opening_brackets_is_read_once() -> None:
    pattern = compile_pattern("[first, ..., last]")
    for message in ("[ " * 32_000, "[\\ " * 21_000, '" \\ ' * 16_000):
        assert all(pattern.matches(message) for _ in range(10))
    assert pattern.extract("[a b [c d] e")["$2"] == "b"
