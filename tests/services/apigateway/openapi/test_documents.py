"""Documents are read within bounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cumulet.services.apigateway.openapi.document import Document, DocumentError, load
from cumulet.services.apigateway.openapi.yaml_loader import dump

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc-/{}0 é", max_size=5), inner, max_size=4),
    max_leaves=20,
)


def test_json_and_yaml() -> None:
    assert load(b'{"a": {"b": [1, "x", true]}}') == {"a": {"b": [1, "x", True]}}
    text = b"a:\n  200: yes\n  on: 2020-01-01\n  c: 1.0\n  d: 'true'\n  e: true\n"
    assert load(text) == {"a": {"200": "yes", "on": "2020-01-01", "c": 1.0, "d": "true", "e": True}}
    assert load(b"{swagger: '2.0', paths: {}}") == {"swagger": "2.0", "paths": {}}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"text",
        b"[1]",
        b"{'key:value}",
        b"a: [",
        b"\xff\xfe",
        b"a: !!python/object/apply:os.system [id]",
        b"&a [*a]",
        b"a: &a {b: *a}",
        b'{"a":' * 200 + b"1" + b"}" * 200,
        (
            b"a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
            b"d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n"
        ),
        b"{" + b" " * (6 * 1024 * 1024) + b"}",
    ],
    ids=range(12),
)
def test_what_is_no_document(body: bytes) -> None:
    with pytest.raises(DocumentError, match="Invalid OpenAPI input"):
        load(body)


@pytest.mark.parametrize("body", [b"{}", b'{"swagger": "1.2"}', b'{"openapi": "4.0"}', b'{"openapi": null}'])
def test_what_is_no_openapi(body: bytes) -> None:
    with pytest.raises(DocumentError):
        Document(body)


@pytest.mark.parametrize(
    "body",
    [b"a: " + b"[" * 100_000, b"a: " + b"{a: " * 100_000, b"- " * 100_000, b"? " * 100_000],
    ids=["lists", "maps", "compact", "keys"],
)
def test_no_depth_ends_the_process(body: bytes) -> None:
    with pytest.raises(DocumentError):
        load(body)


def test_merging_has_an_end() -> None:
    lines = ["a0: &a0 {k: 1}"]
    lines += [f"a{place}: &a{place}\n  <<: [{','.join([f'*a{place - 1}'] * 10)}]" for place in range(1, 12)]
    with pytest.raises(DocumentError):
        load("\n".join(lines).encode())
    assert load(b"a: &a {x: 1}\nb: {<<: *a, y: 2}")["b"] == {"x": 1, "y": 2}


def test_what_looks_like_numbers() -> None:
    text = b"a: 1:30\nb: trueish\nc: 0x1F\nd: 017\ne: 1_000\nf: 99999999999999999999\ng: 1.5e3\nh: -.5"
    load(b"a: 1" + b":59" * 100_000)
    found = load(text)
    assert found == {
        "a": "1:30", "b": "trueish", "c": 31, "d": 15, "e": 1000, "f": "99999999999999999999", "g": 1500.0, "h": "-.5"
    }  # fmt: skip


def test_references() -> None:
    document = Document(
        b'{"openapi": "3.0.1", "components": {"x": {"$ref": "#/components/y"}, "y": {"z": 1}, "a/b": {"c": 2},'
        b' "loop": {"$ref": "#/components/loop"}}}'
    )
    assert document.resolved({"$ref": "#/components/x"}) == {"z": 1}
    assert document.resolved({"$ref": "#/components/a~1b"}) == {"c": 2}
    assert document.resolved({"plain": 1}) == {"plain": 1}
    assert document.resolved("nothing") == {}
    for reference in ("#/components/loop", "#/none", "other.json#/a", "http://elsewhere/x"):
        with pytest.raises(DocumentError):
            document.resolved({"$ref": reference})


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('{"swagger": "2.0", "basePath": "/a/b"}', "/a/b"),
        ('{"swagger": "2.0"}', ""),
        ('{"openapi": "3.0.0", "servers": [{"url": "https://x.com/a/b/"}]}', "/a/b/"),
        ('{"openapi": "3.0.0", "servers": [{"url": "https://x.com"}]}', "/"),
        ('{"openapi": "3.0.0", "servers": [{"url": "/c"}]}', "/c"),
        (
            '{"openapi": "3.0.0", "servers": [{"url": "https://x.com/{v}", "variables": {"v": {"default": "v1"}}}]}',
            "/v1",
        ),
        (
            '{"openapi": "3.0.0", "servers": [{"url": "https://x.com", "variables": {"basePath": {"default": "/base"}}}]}',
            "/base",
        ),
    ],
)
def test_base_paths(body: str, expected: str) -> None:
    assert Document(body.encode()).base_path() == expected


@given(st.dictionaries(st.text("abc/{}", min_size=1, max_size=5), json_values, max_size=4))
def test_what_is_written_as_yaml_is_read_as_it_was(value: dict[str, object]) -> None:
    assert load(dump(value).encode()) == value


@given(st.binary(max_size=60))
def test_any_bytes_are_a_document_or_an_error(body: bytes) -> None:
    try:
        found = load(body)
    except DocumentError:
        return
    assert isinstance(found, dict)


def test_what_comes_twice_is_written_twice() -> None:
    kind = {"type": "string"}
    assert dump({"a": kind, "b": kind}) == "a:\n  type: string\nb:\n  type: string\n"
