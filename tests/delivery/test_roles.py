import asyncio
from typing import Any

import pytest
from msgspec import Struct

from cumulet.api import sts
from cumulet.delivery.roles import Roles
from cumulet.kernel.call import Call, Principal
from cumulet.kernel.clock import MovableClock
from cumulet.kernel.errors import AwsError

ROLE = "arn:aws:iam::111122223333:role/machine"
CALL = Call(
    "111122223333", "eu-west-1", Principal.service("states.amazonaws.com"), "r-1", source_arn="arn:aws:states:x"
)


class Sts:
    """Answers AssumeRole, and remembers who asked."""

    def __init__(self, refuse: bool = False) -> None:
        self.asked: list[Call] = []
        self.refuse = refuse

    async def run(self, call: Call, service: str, operation: str, request: Struct) -> Any:
        assert isinstance(request, sts.AssumeRoleRequest)
        self.asked.append(call)
        await asyncio.sleep(0)
        if self.refuse:
            raise AwsError("not trusted", code="AccessDenied", status=403)
        account = request.role_arn.split(":")[4]
        return sts.AssumeRoleResponse(
            credentials=sts.Credentials(
                access_key_id=f"ASIA{len(self.asked)}", secret_access_key="s", session_token="t", expiration=1.0
            ),
            assumed_role_user=sts.AssumedRoleUser(
                assumed_role_id=f"AROA:{request.role_session_name}",
                arn=f"arn:aws:sts::{account}:assumed-role/machine/{request.role_session_name}",
            ),
        )


def test_a_session_is_asked_for_once_a_minute() -> None:
    async def main() -> None:
        answering, clock = Sts(), MovableClock(lambda: 1_000.0)
        roles = Roles(answering, clock, enforce=True)
        first, second = await asyncio.gather(
            *(roles.assume(CALL, ROLE, "one", "states.amazonaws.com") for _ in range(2))
        )
        assert first == second
        assert len(answering.asked) == 1
        await clock.advance(50)
        assert (await roles.assume(CALL, ROLE, "one", "states.amazonaws.com"))[1] == first[1]
        await clock.advance(20)
        call, credential = await roles.assume(CALL, ROLE, "one", "states.amazonaws.com")
        assert credential.access_key == call.access_key == "ASIA2"

    asyncio.run(main())


def test_the_service_asks_and_the_role_acts() -> None:
    async def main() -> None:
        answering = Sts()
        call, credential = await Roles(answering, MovableClock(), True).assume(
            CALL, ROLE, "one", "states.amazonaws.com"
        )
        asker = answering.asked[0]
        assert (asker.principal.arn, asker.principal.account, asker.source_arn) == (
            "states.amazonaws.com",
            "111122223333",
            "arn:aws:states:x",
        )
        assert (call.principal.kind, call.account, call.region, call.source_arn) == (
            "assumed-role",
            "111122223333",
            "eu-west-1",
            "",
        )
        assert (credential.role_arn, credential.session_token) == (ROLE, "t")

    asyncio.run(main())


def test_a_role_takes_on_one_of_another_account() -> None:
    async def main() -> None:
        answering = Sts()
        roles = Roles(answering, MovableClock(), True)
        mine, _ = await roles.assume(CALL, ROLE, "one", "states.amazonaws.com")
        there, _ = await roles.chain(mine, "arn:aws:iam::444455556666:role/far", "one")
        assert answering.asked[1].principal == mine.principal
        assert there.account == there.principal.account == "444455556666"

    asyncio.run(main())


def test_a_role_that_cannot_be_assumed_is_an_error_where_permissions_count() -> None:
    async def main() -> None:
        with pytest.raises(AwsError, match="not trusted"):
            await Roles(Sts(refuse=True), MovableClock(), True).assume(CALL, ROLE, "one", "states.amazonaws.com")

    asyncio.run(main())


def test_elsewhere_the_account_s_root_acts_and_the_log_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        roles = Roles(Sts(refuse=True), MovableClock(), False)
        await roles.assume(CALL, ROLE, "one", "states.amazonaws.com")
        call, credential = await roles.assume(CALL, ROLE, "one", "states.amazonaws.com")
        assert call.principal == Principal.root("111122223333")
        assert credential.access_key == "111122223333"
        assert len(caplog.records) == 1

    asyncio.run(main())
