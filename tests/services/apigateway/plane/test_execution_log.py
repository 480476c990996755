"""Texts in execution logs: cut where AWS cuts them, and never amid a character."""

import pytest

from cumulet.services.apigateway.plane.execution_log import ExecutionLog, cut, masked, pairs


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("a" * 1024, 1024),
        ("a" * 1025, 1024),
        ("é" * 512, 512),
        ("é" * 513, 512),
        ("a" + "é" * 512, 512),
        ("😀" * 257, 256),
    ],
)
def test_a_text_has_1024_bytes_at_most(text: str, kept: int) -> None:
    expected = text if kept == len(text) else f"{text[:kept]} [TRUNCATED]"
    assert cut(text) == expected
    assert cut(text.encode()) == expected


def test_bytes_that_are_no_text_are_shown_as_far_as_they_are() -> None:
    assert cut(b"\xff" * 3) == "\ufffd" * 3
    assert cut(b"\x80" * 2000).endswith(" [TRUNCATED]")
    assert cut("\ud800") == "?"


def test_secrets_are_cut_to_their_last_letters() -> None:
    assert pairs([("X-Api-Key", "abcdefghij"), ("Accept", "all\r\nX: y")]) == "{X-Api-Key=****efghij, Accept=all  X: y}"
    assert masked("short") == "*****"


def test_a_level_decides_what_is_told() -> None:
    log = ExecutionLog("id", 0, level="ERROR", traced=False)
    log.say("a")
    log.show("b")
    assert not log.wanted
    log.fail("c")
    assert log.wanted
    assert log.events() == ["(id) c"]
