"""PynamoDB: models with indexes, conditions, versions, batches and transactions."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pynamodb.attributes import (
    BooleanAttribute,
    JSONAttribute,
    ListAttribute,
    MapAttribute,
    NumberAttribute,
    UnicodeAttribute,
    UnicodeSetAttribute,
    UTCDateTimeAttribute,
    VersionAttribute,
)
from pynamodb.connection import Connection
from pynamodb.exceptions import DoesNotExist, PutError, TransactWriteError, UpdateError
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex
from pynamodb.models import Model
from pynamodb.transactions import TransactGet, TransactWrite
from tests.conftest import NodeProcess

WHEN = datetime(2026, 3, 4, 5, 6, 7, 891011, tzinfo=UTC)


@pytest.fixture
def thread(node: NodeProcess, account: str) -> Any:
    """A model whose table exists: threads of a forum, by name of the forum and subject, and by views."""

    class ByViews(GlobalSecondaryIndex[Any]):  # type: ignore[no-untyped-call]  # its metaclass is not typed
        class Meta:
            index_name = "by-views"
            projection = AllProjection()

        forum = UnicodeAttribute(hash_key=True)
        views = NumberAttribute(range_key=True)

    class Thread(Model):
        class Meta:
            table_name = "Thread"
            host = node.endpoint
            region = "us-east-1"
            aws_access_key_id = account
            aws_secret_access_key = "test"
            billing_mode = "PAY_PER_REQUEST"
            max_retry_attempts = 0

        forum = UnicodeAttribute(hash_key=True)
        subject = UnicodeAttribute(range_key=True)
        views = NumberAttribute(default=0)
        by_views = ByViews()
        open = BooleanAttribute(default=True)
        tags: Any = UnicodeSetAttribute(null=True)
        answers: Any = ListAttribute(default=list)
        author: Any = MapAttribute(null=True)  # type: ignore[no-untyped-call]  # not typed
        extra = JSONAttribute(null=True)
        at = UTCDateTimeAttribute(null=True)
        version = VersionAttribute()

    Thread.create_table(wait=True)
    return Thread


def test_a_model_comes_back_as_it_went(thread: Any) -> None:
    assert thread.exists()
    one = thread("f", "s", tags={"a", "b"}, answers=["x", 2], author={"name": "Ann"}, extra={"k": [1]}, at=WHEN)
    one.save()
    same = thread.get("f", "s", consistent_read=True)
    assert (same.tags, same.answers, same.author.as_dict(), same.extra, same.at, same.open, same.version) == (
        {"a", "b"},
        ["x", 2],
        {"name": "Ann"},
        {"k": [1]},
        WHEN,
        True,
        1,
    )
    same.delete()
    with pytest.raises(DoesNotExist):
        thread.get("f", "s")


def test_a_version_that_somebody_else_changed_is_not_saved(thread: Any) -> None:
    thread("f", "s").save()
    mine, other = thread.get("f", "s"), thread.get("f", "s")
    other.save()
    with pytest.raises(PutError) as refused:
        mine.save()
    assert refused.value.cause_response_code == "ConditionalCheckFailedException"


def test_updates(thread: Any) -> None:
    one = thread("f", "s", tags={"a"}, extra=1)
    one.save()
    one.update(
        actions=[
            thread.views.add(5),
            thread.tags.add({"b"}),
            thread.answers.set(thread.answers.append(["late"])),
            thread.extra.remove(),
        ],
        condition=thread.views < 1,
    )
    assert (one.views, one.tags, one.answers, one.extra) == (5, {"a", "b"}, ["late"], None)
    with pytest.raises(UpdateError):
        one.update(actions=[thread.views.set(0)], condition=thread.tags.contains("z") | ~thread.views.exists())


def test_batches_queries_and_pages(thread: Any) -> None:
    with thread.batch_write() as batch:
        for number in range(40):
            batch.save(thread("f" if number < 30 else "g", f"s{number:02}", views=100 - number))
    assert thread.count("f") == 30
    assert [one.subject for one in thread.query("f", thread.subject.between("s03", "s05"))] == ["s03", "s04", "s05"]
    found = thread.query("f", thread.subject.startswith("s"), filter_condition=thread.views.is_in(99, 98), page_size=7)
    assert [one.subject for one in found] == ["s01", "s02"]
    popular = thread.by_views.query("f", thread.views > 95, scan_index_forward=False)
    assert [one.views for one in popular] == [100, 99, 98, 97, 96]
    assert len(list(thread.scan(page_size=9))) == 40
    assert len(list(thread.batch_get([("f", "s00"), ("g", "s39"), ("g", "none")]))) == 2
    first = thread.query("f", limit=4)
    assert len(list(first)) == 4
    rest = list(thread.query("f", last_evaluated_key=first.last_evaluated_key))
    assert [rest[0].subject, len(rest)] == ["s04", 26]


def test_transactions(thread: Any, node: NodeProcess, account: str) -> None:
    connection = Connection(region="us-east-1", host=node.endpoint)
    connection.session.set_credentials(account, "test")
    thread("f", "old").save()
    with TransactWrite(connection=connection, client_request_token="once") as transaction:
        transaction.save(thread("f", "new"))
        transaction.update(thread("f", "old", version=1), actions=[thread.views.set(7)])
    with TransactGet(connection=connection) as transaction:
        old, new = (transaction.get(thread, "f", subject) for subject in ("old", "new"))
    assert (old.get().views, new.get().views) == (7, 0)
    with pytest.raises(TransactWriteError) as refused, TransactWrite(connection=connection) as transaction:
        transaction.save(thread("f", "third"))
        transaction.condition_check(thread, "f", "old", condition=thread.views == 0)
    assert [reason.code if reason else None for reason in refused.value.cancellation_reasons] == [
        "ConditionalCheckFailed",
        None,
    ]  # it puts checks in front
    assert thread.count("f") == 2
