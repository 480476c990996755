"""Routes of HTTP APIs, against a search that tries them all."""

from hypothesis import given
from hypothesis import strategies as st

from cumulet.services.apigateway.http.serving.routing import Routes

_METHODS = ("GET", "POST", "ANY")
_PARTS = st.sampled_from(["a", "b", "{x}", "{y}", ""])
_ENDS = st.sampled_from(["", "{rest+}"])


@st.composite
def _keys(draw: st.DrawFn) -> str:
    if draw(st.integers(0, 9)) == 0:
        return "$default"
    parts = draw(st.lists(_PARTS, min_size=1, max_size=3))
    names = [part for part in parts if part.startswith("{")]
    if len(set(names)) < len(names):
        parts = [part for part in parts if not part.startswith("{")] or ["a"]
    if end := draw(_ENDS):
        parts.append(end)
    return f"{draw(st.sampled_from(_METHODS))} /{'/'.join(parts)}"


def _rank(key: str, method: str, parts: list[str]) -> tuple[tuple[int, ...], int] | None:
    """How well a key fits, better ones being smaller; None when it does not."""
    verb, _, path = key.partition(" ")
    if verb not in ("ANY", method):
        return None
    ranks: list[int] = []
    wanted = path[1:].split("/")
    for place, part in enumerate(wanted):
        if part.endswith("+}"):
            return ((*ranks, 2), verb == "ANY") if "/".join(parts[place:]) else None
        if place >= len(parts):
            return None
        if part.startswith("{"):
            if not parts[place]:
                return None
            ranks.append(1)
        elif part == parts[place]:
            ranks.append(0)
        else:
            return None
    return (tuple(ranks), verb == "ANY") if len(wanted) == len(parts) else None


@given(
    st.lists(_keys(), unique=True, max_size=12),
    st.sampled_from(["GET", "POST", "PUT"]),
    st.lists(st.sampled_from(["a", "b", "c", ""]), min_size=1, max_size=4),
)
def test_the_best_route_is_found(keys: list[str], method: str, parts: list[str]) -> None:
    routes: Routes[str] = Routes()
    shapes = set()
    kept = []
    for key in keys:
        # Two routes that differ in the names of their parameters alone are one to the tree.
        shape = "/".join("{+}" if "+" in part else "{}" if "{" in part else part for part in key.split("/"))
        if shape not in shapes:
            shapes.add(shape)
            kept.append(key)
            routes.add(key, key)
    ranked = [(rank, key) for key in kept if key != "$default" and (rank := _rank(key, method, parts)) is not None]
    found = routes.find(method, parts)
    if ranked:
        assert found is not None
        assert _rank(found[0], method, parts) == min(ranked)[0]
    else:
        assert (found[0] if found is not None else None) == ("$default" if "$default" in kept else None)


@given(st.lists(st.text(max_size=5), min_size=1, max_size=6))
def test_parameters_are_the_parts_of_the_path(parts: list[str]) -> None:
    routes: Routes[str] = Routes()
    routes.add("GET /{first}/{rest+}", "found")
    found = routes.find("GET", parts)
    if len(parts) > 1 and parts[0] and "/".join(parts[1:]):
        assert found == ("found", {"first": parts[0], "rest": "/".join(parts[1:])})
    else:
        assert found is None
