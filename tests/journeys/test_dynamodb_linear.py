"""Concurrent clients and `kill -9`: conditional writes are linearizable, transactions are whole and happen once.

Clients never repeat a call by themselves, and say of a call that failed otherwise than by its condition that its outcome
is unknown: the checker (`linear.py`) takes it as made only if somebody saw it.
"""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from tests.conftest import NodeProcess
from tests.journeys.linear import FOREVER, Seen, Snapshot, disorder, violations

ACCOUNT = "777777777778"
KILLS = 2
STEP = 120
"""Calls that are answered between two kills."""
REGISTERS = 3
PURSES = 5
SUM = 1_000


class Unknown(Exception):
    """Nobody knows what became of the call."""


class _Stage:
    """A node, its clients, and how far they are."""

    def __init__(self, node: NodeProcess) -> None:
        self.node = node
        self.done = 0
        self.end = threading.Event()
        self.up = threading.Event()
        self.up.set()
        self.problems: list[BaseException] = []

    def client(self) -> Any:
        return self.node.client("dynamodb", ACCOUNT)

    def run(self, *players: "_Player") -> None:
        """The players play until the node has been killed often enough."""
        threads = [threading.Thread(target=self._play, args=(player,)) for player in players]
        for thread in threads:
            thread.start()
        try:
            for _ in range(KILLS):
                self._go_on()
                self.up.clear()
                self.node.kill()
                self.node.start()
                self.up.set()
            self._go_on()
        finally:
            self.end.set()
            self.up.set()
            for thread in threads:
                thread.join()
        assert self.problems == []

    def _play(self, player: "_Player") -> None:
        try:
            while not self.end.is_set():
                player.turn()
                self.done += 1
        except BaseException as error:  # noqa: BLE001 - shown by the test, whatever it is
            self.problems.append(error)

    def _go_on(self) -> None:
        wanted, deadline = self.done + STEP, time.monotonic() + 100
        while self.done < wanted and not self.problems:
            assert time.monotonic() < deadline
            time.sleep(0.01)


class _Player:
    """A client with a connection of its own."""

    def __init__(self, stage: _Stage, name: str, seed: int) -> None:
        self.stage, self.name = stage, name
        self.random = random.Random(seed)  # which operation comes next; the interleaving is the machine's
        self.dynamodb = stage.client()
        self.count = 0

    def turn(self) -> None:
        raise NotImplementedError

    def token(self) -> str:
        self.count += 1
        return f"{self.name}-{self.count}"

    @contextmanager
    def unsure(self) -> Iterator[None]:
        """Turns the end of the node into Unknown, once there is another one."""
        try:
            yield
        except BotoCoreError as error:
            self._reconnect()
            raise Unknown from error
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] < 500:
                raise
            self._reconnect()
            raise Unknown from error

    def _reconnect(self) -> None:
        time.sleep(0.02)
        assert self.stage.up.wait(60)
        self.dynamodb = self.stage.client()


class _Writer(_Player):
    """Reads a register, and makes its next version if nobody else has."""

    def __init__(self, stage: _Stage, name: str, seed: int) -> None:
        super().__init__(stage, name, seed)
        self.history: list[tuple[int, Seen]] = []

    def turn(self) -> None:
        register = self.random.randrange(REGISTERS)
        seen = self._look(register)
        if seen is not None and self.random.random() < 0.7:
            self._change(register, seen + 1)

    def _look(self, register: int) -> int | None:
        key = {"id": {"S": f"register-{register}"}}
        read = self.random.choice((self._get, self._query, self._transact_get))
        begun = time.monotonic()
        try:
            with self.unsure():
                item = read(key)
        except Unknown:
            return None
        return self._note(register, begun, item)

    def _note(self, register: int, begun: float, item: dict[str, Any]) -> int:
        version = int(item["version"]["N"]) if item else 0
        token = item["token"]["S"] if item else ""
        self.history.append((register, Seen(begun, time.monotonic(), False, version, token)))
        return version

    def _get(self, key: dict[str, Any]) -> Any:
        return self.dynamodb.get_item(TableName="linear", Key=key, ConsistentRead=True).get("Item", {})

    def _query(self, key: dict[str, Any]) -> Any:
        answer = self.dynamodb.query(
            TableName="linear",
            ConsistentRead=True,
            KeyConditionExpression="id = :id",
            ExpressionAttributeValues={":id": key["id"]},
        )
        return next(iter(answer["Items"]), {})

    def _transact_get(self, key: dict[str, Any]) -> Any:
        answer = self.dynamodb.transact_get_items(TransactItems=[{"Get": {"TableName": "linear", "Key": key}}])
        return answer["Responses"][0].get("Item", {})

    def _change(self, register: int, version: int) -> None:
        token = self.token()
        change = self.random.choice((self._put, self._update, self._transact))
        begun = time.monotonic()
        try:
            with self.unsure():
                refused = change(f"register-{register}", version, token)
        except Unknown:
            self.history.append((register, Seen(begun, FOREVER, True, version, token)))
            return
        if refused is None:
            self.history.append((register, Seen(begun, time.monotonic(), True, version, token)))
        else:
            assert self._note(register, begun, refused) != version - 1, "a condition that held was refused"

    def _put(self, name: str, version: int, token: str) -> Any:
        item = {"id": {"S": name}, "version": {"N": str(version)}, "token": {"S": token}}
        return self._refusal(self.dynamodb.put_item, Item=item, **self._condition(version, {}))

    def _update(self, name: str, version: int, token: str) -> Any:
        return self._refusal(self.dynamodb.update_item, **self._next(name, version, token))

    def _refusal(self, call: Callable[..., Any], **arguments: Any) -> Any:
        """None if it was made; else what the item was instead."""
        try:
            call(TableName="linear", **arguments)
        except self.dynamodb.exceptions.ConditionalCheckFailedException as error:
            return error.response.get("Item", {})

    def _transact(self, name: str, version: int, token: str) -> Any:
        update = {"TableName": "linear", **self._next(name, version, token)}
        try:
            self.dynamodb.transact_write_items(TransactItems=[{"Update": update}])
        except self.dynamodb.exceptions.TransactionCanceledException as error:
            (reason,) = error.response["CancellationReasons"]
            assert reason["Code"] == "ConditionalCheckFailed"
            return reason.get("Item", {})

    def _next(self, name: str, version: int, token: str) -> dict[str, Any]:
        return {
            "Key": {"id": {"S": name}},
            "UpdateExpression": "SET #token = :token ADD version :one",
            **self._condition(version, {":token": {"S": token}, ":one": {"N": "1"}}),
            "ExpressionAttributeNames": {"#token": "token"},
        }

    @staticmethod
    def _condition(version: int, values: dict[str, Any]) -> dict[str, Any]:
        if version > 1:
            values = {**values, ":before": {"N": str(version - 1)}}
        return {
            "ConditionExpression": "version = :before" if version > 1 else "attribute_not_exists(version)",
            **({"ExpressionAttributeValues": values} if values else {}),
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }


class _Payer(_Player):
    """Moves money from one purse to another; repeats a transfer, by its token, until it is known what became of it."""

    def __init__(self, stage: _Stage, name: str, seed: int) -> None:
        super().__init__(stage, name, seed)
        self.paid: Counter[int] = Counter()

    def turn(self) -> None:
        giver, taker = self.random.sample(range(PURSES), 2)
        amount = self.random.randrange(1, 200)
        token = self.token()
        if self._settle(giver, taker, amount, token):
            self.paid.update({giver: -amount, taker: amount})
            if self.random.random() < 0.2:  # as one who did not hear the answer
                assert self._settle(giver, taker, amount, token)

    def _settle(self, giver: int, taker: int, amount: int, token: str) -> bool:
        """Whether it was made, at this time or before."""
        while True:
            try:
                with self.unsure():
                    return self._transfer(giver, taker, amount, token)
            except Unknown:
                continue

    def _transfer(self, giver: int, taker: int, amount: int, token: str) -> bool:
        """Whether it was made: nobody gives what he does not have."""
        actions = []
        for purse, change, condition in ((giver, -amount, "money >= :amount"), (taker, amount, "money >= :zero")):
            needed = {":amount": amount} if purse == giver else {":zero": 0}
            values = {":change": change, ":one": 1, **needed}
            update = {
                "TableName": "linear",
                "Key": {"id": {"S": f"purse-{purse}"}},
                "UpdateExpression": "ADD money :change, changes :one",
                "ConditionExpression": condition,
                "ExpressionAttributeValues": {name: {"N": str(value)} for name, value in values.items()},
            }
            actions.append({"Update": update})
        try:
            self.dynamodb.transact_write_items(TransactItems=actions, ClientRequestToken=token)
        except self.dynamodb.exceptions.TransactionCanceledException as error:
            reasons = {reason["Code"] for reason in error.response["CancellationReasons"]}
            if not reasons <= {"None", "ConditionalCheckFailed", "TransactionConflict"}:
                raise
            return False
        return True


class _Auditor(_Player):
    """Looks into all purses at once."""

    def __init__(self, stage: _Stage, name: str, seed: int) -> None:
        super().__init__(stage, name, seed)
        self.sums: Counter[int] = Counter()
        self.snapshots: list[Snapshot] = []

    def turn(self) -> None:
        begun = time.monotonic()
        try:
            with self.unsure():
                purses = look(self.dynamodb)
        except Unknown:
            return
        self.sums[sum(money for money, _ in purses)] += 1
        self.snapshots.append(Snapshot(begun, time.monotonic(), tuple(changes for _, changes in purses)))


def look(dynamodb: Any) -> list[tuple[int, int]]:
    """The money in every purse, and how often it changed."""
    gets = [{"Get": {"TableName": "linear", "Key": {"id": {"S": f"purse-{purse}"}}}} for purse in range(PURSES)]
    items = [one["Item"] for one in dynamodb.transact_get_items(TransactItems=gets)["Responses"]]
    return [(int(item["money"]["N"]), int(item["changes"]["N"])) for item in items]


@pytest.fixture
def stage(start_node: Callable[..., NodeProcess]) -> _Stage:
    stage = _Stage(start_node())
    stage.client().create_table(
        TableName="linear",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return stage


def test_conditional_writes_are_linearizable(stage: _Stage) -> None:
    writers = [_Writer(stage, f"writer-{number}", number) for number in range(5)]
    stage.run(*writers)
    last = _Writer(stage, "last", 0)
    for register in range(REGISTERS):
        while last._look(register) is None:
            pass
    for register in range(REGISTERS):
        history = [seen for writer in (*writers, last) for which, seen in writer.history if which == register]
        assert violations(history) == []
        assert max(seen.version for seen in history) > 5


def test_transactions_are_whole_and_happen_once(stage: _Stage) -> None:
    for purse in range(PURSES):
        item = {"id": {"S": f"purse-{purse}"}, "money": {"N": str(SUM)}, "changes": {"N": "0"}}
        stage.client().put_item(TableName="linear", Item=item)
    payers = [_Payer(stage, f"payer-{number}", number) for number in range(4)]
    auditors = [_Auditor(stage, f"auditor-{number}", number) for number in range(2)]
    stage.run(*payers, *auditors)
    for auditor in auditors:
        assert set(auditor.sums) == {SUM * PURSES}
    assert disorder([one for auditor in auditors for one in auditor.snapshots]) == []
    expected = [SUM + sum(payer.paid[purse] for payer in payers) for purse in range(PURSES)]
    assert [money for money, _ in look(stage.client())] == expected


def test_the_checker_accepts_what_a_register_does() -> None:
    overlapping = [Seen(0, 5, True, 1, "a"), Seen(1, 2, False, 0, ""), Seen(1, 2, False, 1, "a")]
    lost = Seen(6, FOREVER, True, 2, "b")
    assert violations([*overlapping, lost, Seen(7, 8, False, 1, "a")]) == []
    assert violations([*overlapping, lost, Seen(7, 8, True, 2, "c"), Seen(9, 9.5, False, 2, "c")]) == []
    assert violations([*overlapping, lost, Seen(7, 8, False, 2, "b"), Seen(9, 10, True, 3, "c")]) == []


@pytest.mark.parametrize(
    "more",
    [
        pytest.param([Seen(2, 3, False, 0, "")], id="stale read"),
        pytest.param([Seen(2, 3, True, 1, "b")], id="lost update"),
        pytest.param([Seen(0, 1, True, 1, "b")], id="version given twice"),
        pytest.param([Seen(2, 3, False, 2, "b")], id="read from nowhere"),
        pytest.param([Seen(2, 3, False, 1, "b"), Seen(0, FOREVER, True, 1, "b")], id="two truths"),
        pytest.param([Seen(2, 3, False, 2, "b"), Seen(4, FOREVER, True, 2, "b")], id="read before it was written"),
        pytest.param([Seen(2, 3, True, 3, "c")], id="skipped"),
    ],
)
def test_the_checker_refuses_what_no_register_does(more: list[Seen]) -> None:
    assert violations([Seen(0, 1, True, 1, "a"), *more])


def test_the_checker_refuses_torn_snapshots() -> None:
    assert disorder([Snapshot(0, 1, (1, 0)), Snapshot(0, 1, (1, 1))]) == []
    assert disorder([Snapshot(0, 1, (1, 0)), Snapshot(0, 1, (0, 1))])
    assert disorder([Snapshot(5, 6, (1, 1)), Snapshot(0, 9, (1, 1)), Snapshot(0, 4, (1, 1))]) == []
    assert disorder([Snapshot(0, 1, (1, 1)), Snapshot(2, 3, (1, 0))])
