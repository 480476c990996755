"""Old revisions of machines, in their store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from cumulet.services.stepfunctions import _SCHEMAS
from cumulet.services.stepfunctions.engine.store import ExecutionStore, Record
from cumulet.services.stepfunctions.machines.model import ACTIVE, Content, Machine, Revision
from cumulet.services.stepfunctions.machines.pruning import prune
from cumulet.services.stepfunctions.machines.store import MachineStore
from cumulet.storage.sqlite import SqliteDatabase

ROLE = "arn:aws:iam::111122223333:role/r"


def record(number: int, machine: Machine, revision: int) -> Record:
    return Record(
        number=number,
        arn=f"arn:aws:states:us-east-1:111122223333:execution:m:{number}",
        machine=machine.arn,
        revision=f"{machine.id}.{revision}",
        version=None,
        alias="",
        account="111122223333",
        region="us-east-1",
        type="STANDARD",
        status="RUNNING",
        started=1.0,
    )


def comment(number: int) -> Callable[[Content], Content]:
    return lambda content: Content(f'{{"Comment": "{number}"}}', content.role_arn)


def test_what_nothing_names_is_forgotten(tmp_path: Path) -> None:
    async def go() -> None:
        db = SqliteDatabase(tmp_path / "sfn.db")
        for name, schema in _SCHEMAS.items():
            await db.migrate(name, schema)
        machines, executions = MachineStore.on(db, 10), ExecutionStore(db)
        machine = Machine("id1", "aws", "us-east-1", "111122223333", "m", "STANDARD", ACTIVE, 1.0, 1, 0)
        await machines.add(machine, Revision("id1", 1, "", 1.0, Content("{}", ROLE)), "", None, {})
        for number in range(2, 7):
            await machines.update(
                machine,
                comment(number),
                f"r{number}",
                float(number),
                publish="kept" if number == 3 else None,
            )
        await executions.begin(record(1, machine, 2), 1, b"")
        await executions.begin(record(2, machine, 6), 1, b"")

        async def left() -> list[int]:
            return [number for number in range(1, 7) if await machines.revision("id1", number) is not None]

        seen = await prune(machines, executions, set())
        assert seen == {"id1.1", "id1.2", "id1.4", "id1.5"}
        assert await left() == [1, 2, 3, 4, 5, 6]  # an execution of one of them may be about to be written
        assert await prune(machines, executions, seen) == seen
        assert await left() == [2, 3, 6]
        await executions.forget(machine.arn)
        await prune(machines, executions, seen)
        assert await left() == [3, 6]
        await db.close()

    asyncio.run(go())
