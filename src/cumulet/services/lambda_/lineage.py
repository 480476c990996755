"""Chains of invocations: the trace header an invocation gets, and whether its function called itself in a loop.

A function's SDK sends the header on, queues and buckets keep it with their messages and events, and so it comes back.
`Lineage=1:<function>:<times>|...` counts in it how often each function ran before in the chain.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html
"""

import hashlib

from cumulet.kernel.ids import digits
from cumulet.services.lambda_.names import FunctionKey

LIMIT = 16
"""Invocations of one function in a chain; the next one is stopped."""
_FUNCTIONS = 32
"""How many functions a chain remembers; the first ones are forgotten when it has more."""
_LONGEST = 2048
_VERSION = "1:"


def name_of(key: FunctionKey) -> str:
    """What a function is called in a lineage: eight hexadecimal digits."""
    return hashlib.sha256(key.arn.encode()).hexdigest()[:8]


def step(trace: str, name: str, now: float) -> tuple[str, int]:
    """The header for an invocation of the function `name` that came with `trace` ("" when with none).

    Gives also how often the function ran before in this chain. A header that is not one counts as none.
    """
    if not trace or len(trace) > _LONGEST:
        unique = digits(40)
        return f"Root=1-{int(now):08x}-{unique[:24]};Parent={unique[24:]};Sampled=0;Lineage=1:{name}:0", 0
    fields = dict(part.strip().partition("=")[::2] for part in trace.split(";"))
    root = fields.get("Root") or f"1-{int(now):08x}-{digits(24)}"
    parent = fields.get("Parent") or digits(16)
    before = _parse(fields.get("Lineage", ""))
    times = before.pop(name, -1) + 1
    chain = [f"{name}:{times}", *(f"{other}:{count}" for other, count in before.items())][:_FUNCTIONS]
    sampled = "1" if fields.get("Sampled") == "1" else "0"
    return f"Root={root};Parent={parent};Sampled={sampled};Lineage={_VERSION}{'|'.join(chain)}", times


def _parse(lineage: str) -> dict[str, int]:
    """Functions of a chain, the last one first, and how often each ran again."""
    chain: dict[str, int] = {}
    for entry in lineage.removeprefix(_VERSION).split("|"):
        name, _, count = entry.partition(":")
        if name and count.isascii() and count.isdigit() and len(count) < 6:
            chain[name] = int(count)
    return chain
