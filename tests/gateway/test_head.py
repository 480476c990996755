"""Headers that come several times, and what is remembered of others."""

import pytest

from cumulet.gateway import head
from cumulet.gateway.head import more_lines


def test_each_is_a_line() -> None:
    assert more_lines([("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]) == "Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n"


def test_what_frames_is_left_out() -> None:
    lines = [("Content-Length", "3"), ("transfer-encoding", "chunked"), ("Connection", "close"), ("X", "1")]
    assert more_lines(lines) == "X: 1\r\n"


@pytest.mark.parametrize(("name", "value"), [("a", "b\r\nc: d"), ("a\nb", "c"), ("a", "b\r"), ("a", "b\nc")])
def test_no_header_becomes_two(name: str, value: str) -> None:
    with pytest.raises(ValueError, match="line break"):
        more_lines([(name, value)])


def test_names_of_any_length_are_sent_and_only_short_ones_remembered() -> None:
    name = "X-" + "a" * 5000
    for value in "12":
        head.encode_head(200, {"X-Short": value}, "", "")
        sent = head.encode_head(200, {name: value, "Date": "now"}, "Content-Length: 0\r\n", "Date: then\r\n")
        expected = f"HTTP/1.1 200 OK\r\n{name}: {value}\r\nDate: now\r\nContent-Length: 0\r\nServer: cumulet\r\n\r\n"
        assert sent.decode() == expected
    assert (200, ("X-Short",)) in head._templates
    assert (200, (name, "Date")) not in head._templates
