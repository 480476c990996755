"""Functions that speak to the platform past their runtime: they break themselves, and never read or end what is another's."""

import json
import os
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cumulet.compute.logs import LogPipe

_HOSTILE = """
import os, random, socket, struct

BODIES = [b"", b"{}", b"{", b"null", b"[]", b'"x"', b"\\xff", b'{"errorType":5}', b"a/b\\r\\nX: y", b"x" * 70000]

def handler(event, context):
    found = [int(name) for name in os.listdir("/proc/self/fd") if link(name).startswith("socket")]
    channel = socket.socket(fileno=os.dup(found[0]))
    channel.setblocking(False)
    dice = random.Random(event["seed"])
    for _ in range(event["count"]):
        kind, body = dice.randrange(14), dice.choice(BODIES)
        head = struct.pack(">BII", kind, dice.choice([0] * 5 + [7]), dice.choice([len(body)] * 6 + [2**32 - 1]))
        try:
            channel.send(head + body)
        except OSError:
            pass
    return 1

def link(name):
    try:
        return os.readlink("/proc/self/fd/" + name)
    except OSError:
        return ""
"""


def test_what_was_closed_is_not_read_by_its_number() -> None:
    lines: list[bytes] = []
    reading, writing = os.pipe()
    pipe = LogPipe(reading, lines.append)
    os.set_blocking(reading, False)
    os.write(writing, b"own\n")
    pipe.drain()
    pipe.close()
    os.close(writing)
    theirs, writing = os.pipe()  # the numbers are given out again
    assert theirs == reading
    os.write(writing, b"another's\n")
    pipe.drain()
    assert (lines, pipe.take()) == ([b"own"], b"own\n")
    os.close(theirs)
    os.close(writing)


def test_a_flood_of_empty_lines_is_told_in_few_records() -> None:
    lines: list[bytes] = []
    reading, writing = os.pipe2(os.O_NONBLOCK)
    pipe = LogPipe(reading, lines.append, kept=1000)
    for _ in range(40):
        os.write(writing, b"\n" * 65_536)
        pipe.drain()
    assert len(lines) <= 40 * 2048
    assert sum(len(line) + 1 for line in lines) == 40 * 65_536
    pipe.close()
    os.close(writing)


@pytest.mark.parametrize("count", [1, 8])
def test_whatever_a_function_sends_to_the_platform(functions: Any, make: Callable[..., Any], count: int) -> None:
    make("f", _HOSTILE, Timeout=3)  # what breaks its way to the platform ends then
    functions.get_waiter("function_active_v2").wait(FunctionName="f")
    for seed in range(12):
        event = json.dumps({"seed": seed, "count": count})
        try:
            answer = functions.invoke(FunctionName="f", Payload=event)
            answer["Payload"].read()
            answer = functions.invoke_with_response_stream(FunctionName="f", Payload=event)
            list(answer["EventStream"])
        except ClientError as error:
            pytest.fail(f"seed {seed}: {error}")
