"""Headers that come several times."""

import pytest

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
