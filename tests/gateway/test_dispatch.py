"""Services start when they are first needed, once, however many ask."""

import asyncio
from typing import Any

import pytest
from msgspec import Struct

from cumulet.gateway.dispatch import Dispatcher
from cumulet.kernel.call import Call, Principal
from cumulet.kernel.errors import NotImplementedHere
from cumulet.kernel.service import Operation, Service

CALL = Call("111122223333", "us-east-1", Principal.root("111122223333"), "request-1")


class Echo(Struct):
    text: str


async def _echo(_: Any, __: Call, request: Echo) -> str:
    return request.text


class Builder:
    """Builds a service whose start takes a moment, or fails as often as it is told to."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.starts = 0
        self.stops: list[str] = []

    def build(self, name: str) -> Service:
        async def start() -> None:
            self.starts += 1
            await asyncio.sleep(0.01)
            if self.starts <= self.failures:
                raise OSError("not now")

        async def stop() -> None:
            self.stops.append(name)

        return Service(name, None, {"Echo": Operation("Echo", _echo)}, start, stop)


def test_a_service_starts_once_for_all_who_ask() -> None:
    async def main() -> None:
        builder = Builder()
        dispatcher = Dispatcher({"echo": lambda: builder.build("echo")})
        answers = await asyncio.gather(*(dispatcher.run(CALL, "echo", "Echo", Echo(str(i))) for i in range(10)))
        assert answers == [str(i) for i in range(10)]
        assert builder.starts == 1

    asyncio.run(main())


def test_a_start_that_failed_is_tried_again_by_the_next_caller() -> None:
    async def main() -> None:
        builder = Builder(failures=1)
        dispatcher = Dispatcher({"echo": lambda: builder.build("echo")})
        with pytest.raises(OSError, match="not now"):
            await dispatcher.run(CALL, "echo", "Echo", Echo("a"))
        assert await dispatcher.run(CALL, "echo", "Echo", Echo("b")) == "b"

    asyncio.run(main())


def test_what_is_not_there_says_so() -> None:
    async def main() -> None:
        dispatcher = Dispatcher({"echo": lambda: Builder().build("echo")})
        with pytest.raises(NotImplementedHere, match="kinesis"):
            await dispatcher.run(CALL, "kinesis", "ListStreams", Echo(""))
        with pytest.raises(NotImplementedHere, match="Shout"):
            await dispatcher.run(CALL, "echo", "Shout", Echo(""))

    asyncio.run(main())


def test_services_stop_in_the_reverse_order_of_their_start() -> None:
    async def main() -> None:
        builder = Builder()
        dispatcher = Dispatcher({name: lambda name=name: builder.build(name) for name in ("a", "b")})  # type: ignore[misc]
        await dispatcher.service("a")
        await dispatcher.service("b")
        await dispatcher.stop()
        assert builder.stops == ["b", "a"]

    asyncio.run(main())


def test_a_service_that_cannot_wind_down_is_told_of_and_holds_up_no_other(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        ended: list[str] = []

        def build(name: str) -> Service:
            async def wind_down() -> None:
                if name == "b":
                    raise OSError("a broken pipe")
                await asyncio.sleep(0)  # so that it ends after the other has failed
                ended.append(name)

            return Service(name, None, {}, wind_down=wind_down)

        dispatcher = Dispatcher({name: lambda name=name: build(name) for name in "abc"})  # type: ignore[misc]
        for name in "abc":
            await dispatcher.service(name)
        await dispatcher.wind_down()
        assert ended == ["a", "c"]

    asyncio.run(main())
    (record,) = caplog.records
    assert "b could not end" in record.getMessage()
    assert record.exc_info is not None
    assert "a broken pipe" in str(record.exc_info[1])


def test_a_service_that_another_calls_while_it_stops_is_stopped_too() -> None:
    async def main() -> None:
        builder = Builder()

        async def say_farewell() -> None:
            assert await dispatcher.run(CALL, "late", "Echo", Echo("farewell")) == "farewell"
            builder.stops.append("b")

        builders = {name: lambda name=name: builder.build(name) for name in ("a", "late")}
        dispatcher = Dispatcher(builders | {"b": lambda: Service("b", None, {}, stop=say_farewell)})
        await dispatcher.service("a")
        await dispatcher.service("b")
        await dispatcher.stop()
        assert builder.stops == ["b", "late", "a"]
        assert not dispatcher.running

    asyncio.run(main())
