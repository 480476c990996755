"""Whatever is asked of IAM and STS, in whatever order, the answer is a result or an error of AWS."""

import asyncio
import random
import types
import typing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import Struct
from tests.services.iam.helpers import document, trust

from cumulet.kernel.call import Call, Principal
from cumulet.kernel.clock import MovableClock
from cumulet.kernel.errors import AwsError
from cumulet.kernel.service import Service
from cumulet.kernel.tasks import Tasks
from cumulet.services import iam, sts
from cumulet.storage.local import LocalSignals
from cumulet.storage.sqlite import SqliteDatabase

ACCOUNT = "111122223333"
NAMES = ["ann", "Ann", "bob", "x", "a" * 64]
ARNS = [
    f"arn:aws:iam::{ACCOUNT}:{kind}/{name}" for kind in ("user", "role", "group", "policy") for name in ("ann", "x")
]
ODD = ["", "*", "arn:", "arn:aws:iam::aws:policy/none", "\x00", "é", "{}", "[]", "null", "/", "a:b:c:d:e:f"]
KNOWN = {
    "status": ["Active", "Inactive"],
    "path": ["/", "/a/", "/b/c/"],
    "marker": ["00", "zz", "616e6e"],
    "policy_arn": [*ARNS, "arn:aws:iam::aws:policy/AmazonSQSFullAccess"],
    "aws_service_name": ["batch.amazonaws.com", "autoscaling.amazonaws.com", "x"],
    "version_id": ["v1", "v2"],
    "service_name": ["codecommit.amazonaws.com", "x"],
    "url": ["https://idp.example.com/a"],
}
PRINCIPALS = [
    Principal.root(ACCOUNT),
    Principal("user", f"arn:aws:iam::{ACCOUNT}:user/ann", "AIDA1", ACCOUNT),
    Principal("assumed-role", f"arn:aws:sts::{ACCOUNT}:assumed-role/x/s", "AROA1:s", ACCOUNT),
    Principal.service("lambda.amazonaws.com", ACCOUNT),
]


def value(kind: Any, name: str, dice: random.Random) -> Any:
    """Some value of a type; strings are often ones that mean something."""
    options = typing.get_args(kind)
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return None if dice.random() < 0.5 else value(options[0], name, dice)
    if typing.get_origin(kind) is list:
        return [value(options[0], name, dice) for _ in range(dice.randrange(2))]
    if typing.get_origin(kind) is dict:
        return {"a": value(options[1], name, dice)}
    if isinstance(kind, type) and issubclass(kind, Struct):
        return build(kind, dice)
    if kind is str:
        return text(name, dice)
    simple = {int: dice.randrange(-1, 5000), bool: dice.random() < 0.5, float: 1.5, bytes: b"x"}
    return simple[kind]


def text(name: str, dice: random.Random) -> str:
    if dice.random() < 0.1:
        return dice.choice(ODD)
    if name in KNOWN:
        return dice.choice(KNOWN[name])
    if "document" in name or name.endswith(("_policy", "policy_input_list")):
        return dice.choice([document(), trust(), document(effect="Deny"), "{"])
    return dice.choice(ARNS if name.endswith("arn") or name == "permissions_boundary" else NAMES)


def build(kind: type[Struct], dice: random.Random) -> Struct:
    hints = typing.get_type_hints(kind)
    return kind(**{name: value(hints[name], name, dice) for name in kind.__struct_fields__})


async def services(folder: Path, tasks: Tasks) -> tuple[list[Service], SqliteDatabase]:
    db = SqliteDatabase(folder / "iam.db")
    clock = MovableClock()
    first = iam.build(db=db, signals=LocalSignals(), clock=clock, tasks=tasks, secret=b"k" * 32)
    await first.start()

    async def find_role(arn: str) -> Any:
        return await iam.find_role(first, arn)

    return [first, sts.build(key=b"k" * 32, find_role=find_role, wall=clock.now)], db


@pytest.mark.parametrize("seed", range(2))
def test_a_result_or_an_aws_error(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)

    async def scenario() -> int:
        tasks = Tasks()
        running, db = await services(tmp_path, tasks)
        choices = [(service, operation) for service in running for operation in service.operations.values()]
        succeeded = 0
        for _ in range(1_000):
            service, operation = dice.choice(choices)
            call = Call(ACCOUNT, "us-east-1", dice.choice(PRINCIPALS), "request-1")
            request = build(operation.request, dice)
            try:
                given = operation.run(service.state, call, request)
                result = await given if isinstance(given, types.CoroutineType) else given
            except AwsError as error:
                assert error.message, (operation.name, request)  # noqa: PT017  what is raised is the answer
            else:
                succeeded += 1
                msgspec.to_builtins(result)
        await tasks.close()
        await db.close()
        return succeeded

    assert asyncio.run(scenario()) > 80
