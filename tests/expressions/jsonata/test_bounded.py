"""Expressions in a process of their own: what they take too much of ends them, and them alone."""

import contextlib
import os
import resource
import signal
import threading
from collections.abc import Iterator

import pytest

from cumulet.expressions.jsonata.bounded import Bounded
from cumulet.expressions.jsonata.library import JsonataError


@pytest.fixture
def bounded() -> Iterator[Bounded]:
    made = Bounded()
    yield made
    made.close()


def test_results_and_failures_come_back(bounded: Bounded) -> None:
    assert bounded.run("$states.input & '!'", ("states",), '{"states":{"input":"é"}}', 1, 0)[0] == '"é!"'
    assert bounded.run("$no", (), "{}", 1, 0)[0] is None
    assert bounded.run("$random()", (), "{}", 7, 0)[0] == bounded.run("$random()", (), "{}", 7, 0)[0]
    assert bounded.run("$millis()", (), "{}", 7, 1234)[0] == "1234"
    with pytest.raises(JsonataError, match="Attempted to invoke a non-function") as failed:
        bounded.run("$no()", (), "{}", 1, 0)
    assert failed.value.code == "T1006"


def test_a_child_that_others_keep_from_the_processor_is_waited_for(bounded: Bounded) -> None:
    _, seconds = bounded.run("1", (), "{}", 1, 0)
    assert 0 <= seconds < 1
    (child,) = bounded._idle
    pid = child._process.pid
    os.kill(pid, signal.SIGSTOP)
    threading.Timer(1.5, os.kill, (pid, signal.SIGCONT)).start()
    assert bounded.run("$sum([1..10])", (), "{}", 1, 0)[0] == "55"
    assert [one._process.pid for one in bounded._idle] == [pid]


def test_a_process_with_many_descriptors_asks_too(bounded: Bounded) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(2048, hard), hard))
    with contextlib.ExitStack() as opened:
        opened.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        while (last := os.open(os.devnull, os.O_RDONLY)) < 1100:  # select(2) knows 1,024
            opened.callback(os.close, last)
        opened.callback(os.close, last)
        assert bounded.run("1 + 1", (), "{}", 1, 0)[0] == "2"


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("($f := function($x) { $f($x + 1) }; $f(1))", "timeout"),
        ("$length($pad('x', 500000000))", "memory limit|timeout"),
        (
            "($p := function($s, $n) { $n = 0 ? $s : $p($s & $s, $n - 1) }; $length($p('x', 33)))",
            "memory limit|timeout",
        ),
    ],
)
def test_too_much(bounded: Bounded, expression: str, message: str) -> None:
    with pytest.raises(JsonataError, match=message) as failed:
        bounded.run(expression, (), "{}", 1, 0)
    assert failed.value.code == ""
    assert bounded.run("1 + 1", (), "{}", 1, 0)[0] == "2"
