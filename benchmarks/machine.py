"""The machine that is measured on: kept from dozing, and asked for its pace."""

import contextlib
import statistics
import struct
import time
from collections.abc import Iterator
from pathlib import Path

_LATENCY = Path("/dev/cpu_dma_latency")
_LOOPS = 100_000


@contextlib.contextmanager
def awake() -> Iterator[bool]:
    """Keep the processors from their idle states meanwhile; gives whether that was possible.

    In a virtual machine a processor that dozes costs an exit to the host whenever a process on it is woken, which both sides
    of a connection pay: with one client that was ten times the cost of the request itself, and changed by the minute. Linux
    takes a bound on that latency from whoever may open the device (root), for as long as it is open:
    https://docs.kernel.org/power/pm_qos_interface.html.
    """
    try:
        device = _LATENCY.open("wb", buffering=0)
    except OSError:
        yield False
        return
    with device:
        device.write(struct.pack("i", 0))
        yield True


def pace(times: int = 5) -> float:
    """Milliseconds of processor time that 100,000 turns of an empty loop take now, the median of some tries.

    Where a core's other half is another's, this doubles and halves from one second to the next, and every figure with it.
    """
    taken = []
    for _ in range(times):
        before = time.process_time()
        for _turn in range(_LOOPS):
            pass
        taken.append(time.process_time() - before)
    return statistics.median(taken) * 1e3
