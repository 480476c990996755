"""What is worked out when it is first asked for, and kept."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

T = TypeVar("T")


class once(Generic[T]):  # noqa: N801  a decorator, as functools.cached_property is
    """A property that keeps its value. As `functools.cached_property`, which locks before Python 3.12: four times the cost."""

    def __init__(self, make: Callable[[Any], T]) -> None:
        self._make = make
        self._name = make.__name__
        self.__doc__ = make.__doc__

    @overload
    def __get__(self, instance: None, owner: type) -> "once[T]": ...
    @overload
    def __get__(self, instance: object, owner: type) -> T: ...
    def __get__(self, instance: object | None, owner: type) -> "once[T] | T":
        if instance is None:
            return self
        # The instance's own attribute comes first from now on, as this descriptor sets nothing.
        value = instance.__dict__[self._name] = self._make(instance)
        return value


class Later(Generic[T]):
    """What is made with the first call, and the same ever after. `made` is None until then."""

    __slots__ = ("_make", "made")

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self.made: T | None = None

    def __call__(self) -> T:
        found = self.made
        if found is None:
            found = self.made = self._make()
        return found
