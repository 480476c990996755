"""What a function registers to have called before it waits as a snapshot, and after it is restored.

Lambda's Python has a module of this name and interface:
https://docs.aws.amazon.com/lambda/latest/dg/snapstart-runtime-hooks-python.html
"""

from __future__ import annotations

from typing import Any, Callable, Dict, Tuple, TypeVar

Hook = TypeVar("Hook", bound=Callable[..., Any])
Registered = Tuple[Callable[..., Any], Tuple[Any, ...], Dict[str, Any]]

__all__ = ["register_after_restore", "register_before_snapshot"]

_before: list[Registered] = []
_after: list[Registered] = []


def register_before_snapshot(func: Hook, *args: Any, **kwargs: Any) -> Hook:
    """Have `func` called with these arguments once the function is initialised; the last registered comes first."""
    _before.append((func, args, kwargs))
    return func


def register_after_restore(func: Hook, *args: Any, **kwargs: Any) -> Hook:
    """Have `func` called with these arguments before the first invocation, in the order of registration."""
    _after.append((func, args, kwargs))
    return func


def get_before_snapshot() -> list[Registered]:
    """The list itself, for the runtime."""
    return _before


def get_after_restore() -> list[Registered]:
    """The list itself, for the runtime."""
    return _after
