import pytest

from cumulet.policy.copy_source import split


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("b/k", ("b", "k", None)),
        ("/b/a/k", ("b", "a/k", None)),
        ("b/a+b%2Bc%20d", ("b", "a b+c d", None)),
        ("b/k?versionId=v1", ("b", "k", "v1")),
        ("b%2Fk", ("b", "k", None)),
        ("http://host:1/b/k", ("b", "k", None)),
        ("http://host", ("", "", None)),
        ("//b/k", ("", "b/k", None)),
        ("b", ("b", "", None)),
    ],
)
def test_what_it_names(text: str, found: tuple[str, str, str | None]) -> None:
    assert split(text) == found
