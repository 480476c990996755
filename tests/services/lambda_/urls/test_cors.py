"""CORS of function URLs."""

from cumulet.api.lambda_ import Cors
from cumulet.services.lambda_.urls.cors import is_preflight, preflight, shared

ASKS = {"origin": "https://a.test", "access-control-request-method": "PUT"}


def test_what_is_a_preflight() -> None:
    cors = Cors(allow_origins=["*"])
    assert is_preflight(cors, "OPTIONS", ASKS)
    assert not is_preflight(None, "OPTIONS", ASKS)
    assert not is_preflight(cors, "GET", ASKS)
    assert not is_preflight(cors, "OPTIONS", {"origin": "https://a.test"})


def test_an_open_url() -> None:
    cors = Cors(
        allow_origins=["*"], allow_methods=["*"], allow_headers=["X-A", "X-B"], max_age=60, expose_headers=["X-C"]
    )
    assert preflight(cors, ASKS) == {
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Allow-Methods": "*",
        "Access-Control-Allow-Headers": "X-A,X-B",
        "Access-Control-Max-Age": "60",
    }
    assert shared(cors, "https://b.test") == {
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Expose-Headers": "X-C",
    }


def test_credentials_are_not_given_to_a_wildcard() -> None:
    cors = Cors(allow_origins=["*"], allow_methods=["*"], allow_headers=["*"], allow_credentials=True)
    assert preflight(cors, {**ASKS, "access-control-request-headers": "x-a"}) == {
        "Access-Control-Allow-Origin": "https://a.test",
        "Vary": "Origin",
        "Access-Control-Allow-Credentials": "true",
        "Access-Control-Allow-Headers": "x-a",
        "Access-Control-Allow-Methods": "PUT",
    }


def test_others_are_told_nothing() -> None:
    cors = Cors(allow_origins=["https://a.test"], allow_methods=["GET"])
    assert preflight(cors, ASKS) == {}
    assert shared(cors, "https://b.test") == {}
    assert shared(cors, "https://a.test") == {"Access-Control-Allow-Origin": "https://a.test", "Vary": "Origin"}
