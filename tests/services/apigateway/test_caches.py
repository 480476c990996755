"""What is kept for the next request is bounded in bytes."""

from cumulet.kernel.web import WebAnswer
from cumulet.services.apigateway.plane.authorizers import Answer, Cache
from cumulet.services.apigateway.rest.pipeline.caching import ResponseCache


def test_answers_of_authorizers() -> None:
    cache = Cache(lambda: 0.0)
    for number in range(100):
        cache.put(("api", "dev", number), Answer("ann", body="x" * 1_000_000), 60)
    assert cache.get(("api", "dev", 99)) is not None
    assert sum(cache.get(("api", "dev", number)) is not None for number in range(100)) < 10
    cache.forget(("api", "dev"))
    for number in range(8):
        cache.put(("api", "dev", number), Answer("ann", body="x" * 900_000), 60)
    assert sum(cache.get(("api", "dev", number)) is not None for number in range(8)) == 8


def test_answers_of_stages() -> None:
    """Headers and the parameters of a key take room as well."""
    cache = ResponseCache(lambda: 0.0)
    for number in range(2_000):
        answer = WebAnswer(status=200, headers=[("X-Large", "x" * 30_000)], body=b"")
        cache.put(("api", "dev", f"{number}", ("y" * 30_000,)), answer, 60)
    kept = sum(cache.get(("api", "dev", f"{number}", ("y" * 30_000,))) is not None for number in range(2_000))
    assert 500 < kept < 1_200
