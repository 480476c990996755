"""From paths to resources."""

from hypothesis import given
from hypothesis import strategies as st

from cumulet.services.apigateway.rest.pipeline.router import Router, parts_of

parts = st.sampled_from(["a", "b", "%2F", "..", "{x}", "c d", "", "%00", "é"])
resources = st.lists(st.sampled_from(["a", "b", "{x}", "{y+}"]), max_size=4).filter(
    lambda path: "{y+}" not in path[:-1]
)


def reference(paths: list[list[str]], asked: list[str]) -> list[str] | None:
    """The best resource by trying them all: part by part, static before parameter before greedy."""

    def fits(path: list[str]) -> list[int] | None:
        ranks: list[int] = []
        for place, part in enumerate(path):
            if part == "{y+}":
                return [*ranks, 2] if place < len(asked) else None
            if place >= len(asked):
                return None
            if part == asked[place]:
                ranks.append(0)
            elif part == "{x}" and asked[place]:
                ranks.append(1)
            else:
                return None
        return ranks if len(path) == len(asked) else None

    found = [(ranks, path) for path in paths if (ranks := fits(path)) is not None]
    return min(found)[1] if found else None


@given(st.lists(resources, max_size=8), st.lists(parts, max_size=5))
def test_the_most_special_resource_wins(paths: list[list[str]], asked: list[str]) -> None:
    router: Router[str] = Router()
    for path in paths:
        router.add("/" + "/".join(path), {"GET": "/".join(path)})
    text = "/" + "/".join(asked)
    best = reference(paths, parts_of(text))
    found = router.find("GET", text)
    assert (found[0] if found is not None else None) == ("/".join(best) if best is not None else None)
    assert router.find("POST", text) is None


@given(st.text(max_size=60))
def test_any_path(path: str) -> None:
    router: Router[str] = Router()
    router.add("/", {"ANY": "root"})
    router.add("/{all+}", {"ANY": "all"})
    found = router.find("GET", path)
    assert found is not None
    if found[0] == "all":
        assert found[1]["all"] == "/".join(parts_of(path))


def test_deep_paths() -> None:
    router: Router[str] = Router()
    router.add("/{all+}", {"GET": "all"})
    assert router.find("GET", "/a" * 500) is not None
    assert router.find("GET", "/a" * 5000) is None
