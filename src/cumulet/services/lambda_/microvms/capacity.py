"""Whether this machine has room for one MicroVM more, whoever's."""

import os

from cumulet.api import lambda_microvms as api
from cumulet.services.lambda_.microvms.model import TERMINATING
from cumulet.services.lambda_.microvms.state import Microvms

_MB = 1 << 20


def check_capacity(service: Microvms, memory_mb: int) -> None:
    """Raises InsufficientCapacityException: baselines come to the machine's memory at most, and some of the disk stays free.

    Nothing is reserved: programs may use less than their baseline, and up to four times of it.
    """
    most = service.limits.machine_memory_mb or os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // _MB
    used = sum(life.vm.memory_mb for life in service.lives.values() if life.vm.state != TERMINATING)
    if used + memory_mb > most:
        raise api.InsufficientCapacityException(
            f"MicroVMs have {used} of {most} MiB on this machine, and {memory_mb} MiB more are asked for. End some of them."
        )
    if not service.builder.room():
        raise api.InsufficientCapacityException("The disk of this machine is full, but for what is kept free.")
