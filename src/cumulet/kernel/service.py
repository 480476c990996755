"""What the gateway needs to know of a service: its name, its operations, and how it starts and stops."""

import inspect
import typing
from collections.abc import Awaitable, Callable, Mapping
from types import ModuleType
from typing import Any, Final, TypeVar

from msgspec import Struct

from cumulet.kernel.call import Call


class Operation(Struct, frozen=True):
    """One AWS operation: its name, and the function that runs it.

    `run` gives its result struct, None when it has none, or a coroutine that does. Operations are `async def`; one that
    never waits may be a plain `def`, and one that seldom does may give the coroutine of another function when it has to:
    an answer that is there at once costs no task and no turn of the loop. So does one that is `prompt`.
    """

    name: str
    run: Callable[[Any, Call, Any], Any]
    prompt: bool = False

    @property
    def request(self) -> type[Struct]:
        """The struct it takes; made when it is asked for, see api/lazy.py."""
        request: type[Struct] = typing.get_type_hints(self.run)["request"]
        return request


_MARK: Final = "prompt"
F = TypeVar("F", bound=Callable[..., Any])


def prompt(function: F) -> F:
    """Marks an operation that seldom waits for more than a commit: it is begun before it has a task of its own.

    Until it first waits it has none, so what needs one (`asyncio.timeout`, `asyncio.TaskGroup`) is not for it; `asyncio.wait` is.
    """
    function.__dict__[_MARK] = True
    return function


async def _nothing() -> None:
    return None


ConditionKeys = Callable[[Call, str, Struct], Awaitable[Callable[[str], tuple[str, ...] | None]]]


class Service(Struct, frozen=True):
    """A running service: its state, and the operations that act on it.

    `start` runs once before the first call (recover what a crash left, start the workers); `stop` once at the end. Before it, while
    everything still runs, `wind_down` ends what of clients' goes on until somebody ends it, or waits: a node that stops lets other calls end.
    `resource_policy` gives the policy document attached to one of the service's resources, by ARN, or None.
    `resource_owner` gives the account of a resource whose ARN does not tell it (a bucket), or None.
    `condition_keys` gives, for a call, a resource's ARN and a request, what finds condition keys that only the service can tell.
    """

    name: str
    state: object
    operations: Mapping[str, Operation]
    start: Callable[[], Awaitable[None]] = _nothing
    stop: Callable[[], Awaitable[None]] = _nothing
    resource_policy: Callable[[Call, str], Awaitable[str | None]] | None = None
    resource_owner: Callable[[Call, str], Awaitable[str | None]] | None = None
    condition_keys: ConditionKeys | None = None
    wind_down: Callable[[], Awaitable[None]] = _nothing


def operations_in(names: Mapping[str, str], *modules: ModuleType) -> dict[str, Operation]:
    """The operations of an API, each implemented by the function of its name in one of the modules.

    `names` maps function names to AWS's operation names (`api.<service>.OPERATIONS`). Operations without a
    function are left out: the dispatcher answers NotImplemented for them.
    """
    found = {}
    for module in modules:
        for function_name, function in inspect.getmembers(module, inspect.isfunction):
            if function_name in names and function.__module__ == module.__name__:
                # Annotations are not looked at: naming a struct makes it, and most calls never come.
                found[names[function_name]] = Operation(names[function_name], function, _MARK in function.__dict__)
    return found
