"""A request's way through the steps: at once where nothing has to be waited for, and with the same answer either way."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from msgspec import Struct

from cumulet.api import sts as api
from cumulet.gateway.authenticate import Authenticator
from cumulet.gateway.chain import Gateway
from cumulet.gateway.connection import Answer
from cumulet.gateway.dispatch import Dispatcher
from cumulet.gateway.record import Recorder
from cumulet.kernel.call import Call, Principal
from cumulet.kernel.credentials import Credential
from cumulet.kernel.errors import AwsError
from cumulet.kernel.service import Operation, Service
from cumulet.kernel.streams import BytesStream
from cumulet.storage.database import StorageError
from cumulet.wire.http import HttpRequest, HttpResponse

NAME = "GetCallerIdentity"
HEADERS = {"host": "sts.us-east-1.amazonaws.com", "content-type": "application/x-www-form-urlencoded"}
Outcome = Callable[[Call], Struct]


def at_once(outcome: Outcome, call: Call, _: Any) -> Struct:
    return outcome(call)


async def without_a_pause(outcome: Outcome, call: Call, _: Any) -> Struct:
    return outcome(call)


async def with_a_pause(outcome: Outcome, call: Call, _: Any) -> Struct:
    await asyncio.sleep(0)
    return outcome(call)


def later_if_need_be(outcome: Outcome, call: Call, request: Any) -> Any:
    return with_a_pause(outcome, call, request)


def given(call: Call) -> Struct:
    found: Struct = api.GetCallerIdentityResponse(user_id="me", account=call.account, arn="arn:me")
    return found


def failing(error: Exception) -> Outcome:
    def fail(_: Call) -> Struct:
        raise error

    return fail


class Node:
    """A gateway to an STS that does one thing."""

    def __init__(self, run: Callable[..., Any], outcome: Outcome) -> None:
        service = Service("sts", outcome, {NAME: Operation(NAME, run)})
        self.dispatcher = Dispatcher({"sts": lambda: service})
        self.recorder = Recorder(lambda: 0.0)
        authenticator = Authenticator(
            find=_nobody,
            remembered=lambda key, token: None,
            wall=lambda: 0.0,
            development_keys=False,
            account="111122223333",
        )
        self.gateway = Gateway(self.dispatcher, authenticator, self.recorder, "us-east-1")

    def ask(self, content: bytes = b"Action=GetCallerIdentity&Version=2011-06-15") -> Answer:
        return self.gateway.handle(HttpRequest("POST", "/", "", dict(HEADERS), BytesStream(content), content=content))


async def _nobody(_: str, __: str | None) -> Credential | None:
    return None


async def _awaited(answer: Answer) -> HttpResponse:
    return answer if isinstance(answer, HttpResponse) else await answer


@pytest.mark.parametrize("run", [at_once, without_a_pause, with_a_pause, later_if_need_be])
@pytest.mark.parametrize(
    ("outcome", "status", "error", "words"),
    [
        (given, 200, "", b"<Account>111122223333</Account>"),
        (failing(AwsError("Not you.", code="AccessDenied", status=403)), 403, "AccessDenied", b"Not you."),
        (failing(StorageError("no space")), 500, "InternalFailure", b"Is the disk full?"),
        (failing(ZeroDivisionError("ours")), 500, "InternalFailure", b"We encountered an internal error."),
    ],
)
def test_an_operation_answers_the_same_whether_it_waits_or_not(
    run: Callable[..., Any], outcome: Outcome, status: int, error: str, words: bytes
) -> None:
    async def main() -> None:
        node = Node(run, outcome)
        await node.dispatcher.service("sts")
        answer = node.ask()
        assert isinstance(answer, HttpResponse) is (run is at_once)
        response = await _awaited(answer)
        assert response.status == status
        assert isinstance(response.body, bytes)
        assert words in response.body
        (record,) = node.recorder.last()
        assert (record.service, record.operation, record.status, record.error) == ("sts", NAME, status, error)
        assert record.request_id == response.headers["x-amzn-RequestId"]
        assert record.request_id.encode() in response.body

    asyncio.run(main())


def test_the_first_request_waits_for_the_service_to_start() -> None:
    async def main() -> None:
        node = Node(at_once, given)
        first = node.ask()
        assert not isinstance(first, HttpResponse)
        assert (await first).status == 200
        assert isinstance(node.ask(), HttpResponse)

    asyncio.run(main())


def test_what_means_no_operation_is_answered_at_once() -> None:
    node = Node(at_once, given)
    answer = node.ask(b"Action=Levitate&Version=2011-06-15")
    assert isinstance(answer, HttpResponse)
    assert (answer.status, node.recorder.last()[-1].error) == (400, "InvalidAction")


def test_a_call_from_within_gets_result_and_error_where_it_is_awaited() -> None:
    call = Call("111122223333", "us-east-1", Principal.root("111122223333"), "request-1")

    async def main() -> None:
        for run in (at_once, with_a_pause, later_if_need_be):
            node = Node(run, given)
            for _ in range(2):  # the first starts the service
                assert (await node.dispatcher.run(call, "sts", NAME, Struct())).user_id == "me"
            broken = Node(run, failing(ZeroDivisionError("ours")))
            await broken.dispatcher.service("sts")
            asked = broken.dispatcher.run(call, "sts", NAME, Struct())
            with pytest.raises(ZeroDivisionError):
                await asked

    asyncio.run(main())
