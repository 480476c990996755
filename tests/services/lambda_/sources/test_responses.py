"""What a function may say of its batch."""

import pytest

from cumulet.services.lambda_.sources.responses import failed_items


@pytest.mark.parametrize(
    "answer",
    [b"", b"null", b'""', b"[]", b"{}", b'{"batchItemFailures": null}', b'{"batchItemFailures": []}', b'{"other": 1}'],
)
def test_nothing_failed(answer: bytes) -> None:
    assert failed_items(answer) == []


def test_what_failed() -> None:
    assert failed_items(b'{"batchItemFailures": [{"itemIdentifier": "a"}, {"itemIdentifier": "b"}]}') == ["a", "b"]


@pytest.mark.parametrize(
    "answer",
    [
        b'"text"',
        b"1",
        b"[1]",
        b"{",
        b"\xff",
        b'{"batchItemFailures": "a"}',
        b'{"batchItemFailures": ["a"]}',
        b'{"batchItemFailures": [{"itemIdentifier": ""}]}',
        b'{"batchItemFailures": [{"itemIdentifier": null}]}',
        b'{"batchItemFailures": [{"itemIdentifier": 1}]}',
        b'{"batchItemFailures": [{"id": "a"}]}',
    ],
)
def test_what_cannot_be_understood_fails_the_batch(answer: bytes) -> None:
    assert failed_items(answer) is None
