"""What is kept is bounded, whatever is done."""

from collections import OrderedDict

from hypothesis import given
from hypothesis import strategies as st

from cumulet.services.apigateway.plane.kept import Kept

KEYS = st.integers(0, 8)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), KEYS, st.integers(0, 20)),
        st.tuples(st.just("grow"), KEYS, st.integers(0, 20)),
        st.tuples(st.just("get"), KEYS, st.just(0)),
        st.tuples(st.just("drop"), KEYS, st.just(0)),
    )
)


@given(STEPS)
def test_as_a_simple_one(steps: list[tuple[str, int, int]]) -> None:
    kept: Kept[int, str] = Kept(5, 40)
    sizes: OrderedDict[int, int] = OrderedDict()
    for what, key, size in steps:
        if what == "put":
            kept.put(key, str(key), size)
            sizes.pop(key, None)
            sizes[key] = size
        elif what == "grow":
            kept.grow(key, size)
            if key in sizes:
                sizes[key] += size
        elif what == "drop":
            kept.drop(key)
            sizes.pop(key, None)
        elif kept.get(key) is not None:
            sizes.move_to_end(key)
        while len(sizes) > 1 and (len(sizes) > 5 or sum(sizes.values()) > 40):
            sizes.popitem(last=False)
        assert len(kept) == len(sizes)
        assert all(key in kept for key in sizes)
