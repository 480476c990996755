"""Signatures made by botocore are right, and nothing else is."""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from botocore.auth import HmacV1Auth, HmacV1QueryAuth, S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from cumulet.kernel.errors import AwsError
from cumulet.kernel.streams import BytesStream
from cumulet.wire import sigv4
from cumulet.wire.http import HttpRequest
from cumulet.wire.signed import epoch

KEY, SECRET, TOKEN = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "FwoGZXIvYXdz//token=="

METHODS = st.sampled_from(["GET", "PUT", "POST", "DELETE", "HEAD", "PATCH"])
TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FFF, exclude_categories=["Cs"]), max_size=12)
PATHS = st.lists(TEXT, max_size=4).map(lambda parts: "/" + "/".join(quote(part, safe="-_.~") for part in parts))
QUERIES = st.lists(st.tuples(TEXT.filter(bool), TEXT), max_size=5, unique_by=lambda pair: pair[0]).filter(
    lambda pairs: not any(name.lower().startswith(("x-amz", "aws", "signature", "expires")) for name, _ in pairs)
)
NAMES = st.from_regex(r"[a-z][a-z0-9]{0,8}(-[a-z0-9]{1,6})?", fullmatch=True).filter(
    lambda name: not name.startswith(("x-amz", "host", "date", "expect", "transfer", "user-agent", "authorization"))
)
VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20).map(str.strip)
HEADERS = st.dictionaries(NAMES, VALUES, max_size=4)
HOSTS = st.sampled_from(["localhost:4566", "sqs.us-east-1.amazonaws.com", "127.0.0.1:8080", "b.s3.localhost:4566"])


def url(host: str, path: str, query: list[tuple[str, str]]) -> str:
    encoded = "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in query)
    return f"http://{host}{path}" + (f"?{encoded}" if encoded else "")


def sign(auth: Any, method: str, address: str, headers: dict[str, str], body: bytes = b"") -> HttpRequest:
    request = AWSRequest(method, address, headers=headers, data=body)
    auth.add_auth(request)
    parts = urlsplit(request.url)
    sent = {"host": parts.netloc, **{name.lower(): value for name, value in request.headers.items()}}
    return HttpRequest(method, parts.path, parts.query, sent, BytesStream(body), content=body)


def auth(kind: Callable[..., Any], service: str = "sqs", token: str | None = None, **more: Any) -> Any:
    return kind(Credentials(KEY, SECRET, token), service, "eu-west-1", **more)


def check(request: HttpRequest, style: sigv4.Style, secret: str | None = SECRET, late: float = 0.0) -> sigv4.Signed:
    signed = sigv4.parse(request, style)
    assert signed is not None
    sigv4.verify(request, signed, secret, (epoch(signed.timestamp) or 0.0) + late, style)
    return signed


def refused(request: HttpRequest, style: sigv4.Style, **more: Any) -> AwsError:
    with pytest.raises(AwsError) as caught:
        check(request, style, **more)
    return caught.value


@given(METHODS, HOSTS, PATHS, QUERIES, HEADERS, st.binary(max_size=64), st.booleans())
def test_header_signatures_of_botocore_verify(
    method: str, host: str, path: str, query: list[tuple[str, str]], headers: dict[str, str], body: bytes, token: bool
) -> None:
    request = sign(auth(SigV4Auth, token=TOKEN if token else None), method, url(host, path, query), headers, body)
    signed = check(request, "json")
    assert (signed.access_key, signed.region, signed.service) == (KEY, "eu-west-1", "sqs")
    assert signed.session_token == (TOKEN if token else None)


@given(METHODS, HOSTS, PATHS, QUERIES, HEADERS, st.binary(max_size=64))
def test_s3_header_signatures_of_botocore_verify(
    method: str, host: str, path: str, query: list[tuple[str, str]], headers: dict[str, str], body: bytes
) -> None:
    check(sign(auth(S3SigV4Auth, "s3"), method, url(host, path, query), headers, body), "s3")


@given(METHODS, HOSTS, PATHS, QUERIES, st.booleans())
def test_presigned_urls_of_botocore_verify(
    method: str, host: str, path: str, query: list[tuple[str, str]], token: bool
) -> None:
    who = TOKEN if token else None
    s3 = check(sign(auth(S3SigV4QueryAuth, "s3", who, expires=60), method, url(host, path, query), {}), "s3")
    assert (s3.presigned, s3.expires, s3.session_token) == (True, 60, who)
    other = sign(auth(SigV4QueryAuth, "sts", who, expires=60), method, url(host, path, query), {})
    check(other, "query")


@given(METHODS, HOSTS, PATHS, QUERIES, HEADERS, st.binary(max_size=64), st.integers(0, 6), st.booleans())
def test_any_tampering_is_refused(
    method: str,
    host: str,
    path: str,
    query: list[tuple[str, str]],
    headers: dict[str, str],
    body: bytes,
    what: int,
    s3: bool,
) -> None:
    style: sigv4.Style = "s3" if s3 else "query"
    kind = S3SigV4Auth if s3 else SigV4Auth
    request = sign(auth(kind, "s3" if s3 else "sts"), method, url(host, path, query), {**headers, "x-a": "1"}, body)
    if what == 0:
        request.method = "GETX"
    elif what == 1:
        request.path += "x"
    elif what == 2:
        request.query += "&x=y" if request.query else "x=y"
    elif what == 3:
        request.headers["x-a"] = "2"
    elif what == 4:
        request.headers["host"] = "elsewhere"
    elif what == 5:
        request.headers["authorization"] = _flip(request.headers["authorization"])
    elif s3:
        request.headers["x-amz-content-sha256"] = "0" * 64
    else:
        request.content += b"x"
    assert refused(request, style).code == "SignatureDoesNotMatch"


def _flip(text: str) -> str:
    return text[:-1] + ("0" if text[-1] != "0" else "1")


def presigned(**more: Any) -> HttpRequest:
    return sign(auth(S3SigV4QueryAuth, "s3", expires=60), "GET", "http://localhost/b/k?versionId=1", {}, **more)


def signed_by_header(kind: Callable[..., Any] = SigV4Auth, service: str = "sqs", body: bytes = b"{}") -> HttpRequest:
    return sign(auth(kind, service), "POST", "http://localhost:4566/", {"content-type": "application/json"}, body)


def test_the_wrong_secret_is_refused_in_each_familys_words() -> None:
    codes = {}
    for style in ("query", "json", "rest-json", "rest-xml"):
        error = refused(signed_by_header(), style, secret="other")
        assert error.message.startswith("The request signature we calculated does not match")
        codes[style] = (error.code, error.status)
    assert codes == {
        "query": ("SignatureDoesNotMatch", 403),
        "json": ("InvalidSignatureException", 400),
        "rest-json": ("InvalidSignatureException", 403),
        "rest-xml": ("SignatureDoesNotMatch", 403),
    }


def test_s3_shows_what_it_signed() -> None:
    request = signed_by_header(S3SigV4Auth, "s3")
    error = refused(request, "s3", secret="other")
    assert (error.code, error.status) == ("SignatureDoesNotMatch", 403)
    assert error.fields["AWSAccessKeyId"] == KEY
    assert error.fields["StringToSign"].startswith("AWS4-HMAC-SHA256\n")
    assert error.fields["CanonicalRequest"].startswith("POST\n/\n\n")
    assert "other" not in str(error.fields)


def test_skew() -> None:
    late = refused(signed_by_header(), "query", late=901)
    assert (late.code, late.status) == ("SignatureDoesNotMatch", 403)
    assert late.message.startswith("Signature expired: ")
    assert "- 15 min.)" in late.message
    assert refused(signed_by_header(), "json", late=-901).message.startswith("Signature not yet current: ")
    error = refused(signed_by_header(S3SigV4Auth, "s3"), "s3", late=-901)
    assert (error.code, error.status) == ("RequestTimeTooSkewed", 403)
    assert error.fields["MaxAllowedSkewMilliseconds"] == "900000"
    check(signed_by_header(), "json", late=899)


def test_the_time_is_checked_without_a_secret_too() -> None:
    check(signed_by_header(), "json", secret=None)
    assert refused(signed_by_header(), "json", secret=None, late=901).code == "InvalidSignatureException"


def test_a_presigned_url_expires() -> None:
    check(presigned(), "s3", late=60)
    error = refused(presigned(), "s3", late=61)
    assert (error.code, error.status, error.message) == ("AccessDenied", 403, "Request has expired")
    assert error.fields["X-Amz-Expires"] == "60"
    assert set(error.fields) == {"X-Amz-Expires", "Expires", "ServerTime"}
    assert refused(presigned(), "s3", late=-901).message == "Request is not yet valid"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("X-Amz-Signature=", "X-Amz-Other=", "requires the X-Amz-Algorithm"),
        ("X-Amz-Expires=60", "X-Amz-Expires=604801", "must be less than a week"),
        ("X-Amz-Expires=60", "X-Amz-Expires=-1", "must be non-negative"),
        ("X-Amz-Expires=60", "X-Amz-Expires=soon", "should be a number"),
        ("AWS4-HMAC-SHA256", "AWS4-HMAC-MD5", "X-Amz-Algorithm only supports"),
        ("%2Faws4_request", "%2Faws5_request", "Error parsing the X-Amz-Credential parameter"),
        ("X-Amz-Date=2", "X-Amz-Date=x", "ISO8601 Long Format"),
        ("X-Amz-Date=2", "X-Amz-Date=1", "This date is not the same as X-Amz-Date"),
    ],
)
def test_malformed_presigned_urls(old: str, new: str, words: str) -> None:
    request = presigned()
    assert old in request.query
    request.query = request.query.replace(old, new)
    error = refused(request, "s3")
    assert (error.code, error.status) == ("AuthorizationQueryParametersError", 400)
    assert words in error.message


@pytest.mark.parametrize(
    ("authorization", "s3", "json"),
    [
        ("AWS4-HMAC-SHA256 ", "AuthorizationHeaderMalformed", "IncompleteSignatureException"),
        ("AWS4-HMAC-SHA256 Credential=a/b", "AuthorizationHeaderMalformed", "IncompleteSignatureException"),
        (
            "AWS4-HMAC-SHA256 Credential=a/b/c, SignedHeaders=host, Signature=0",
            "AuthorizationHeaderMalformed",
            "IncompleteSignatureException",
        ),
        (
            "AWS4-HMAC-SHA256 Credential=a/20200101/r/s/aws4_request, SignedHeaders=host, Signature=0",
            "AccessDenied",
            "IncompleteSignatureException",
        ),
        ("Basic abc", "InvalidArgument", "MissingAuthenticationTokenException"),
        ("", "InvalidArgument", "MissingAuthenticationTokenException"),
        ("AWS4-ECDSA-P256-SHA256 Credential=a", "NotImplemented", "NotImplemented"),
    ],
)
def test_malformed_headers(authorization: str, s3: str, json: str) -> None:
    request = HttpRequest("GET", "/", "", {"host": "h", "authorization": authorization}, BytesStream(b""))
    assert refused(request, "s3").code == s3
    assert refused(request, "json").code == json


@given(st.text(max_size=80), st.text(max_size=80), st.sampled_from(["s3", "query", "json", "rest-json"]))
def test_garbage_is_refused_and_never_breaks(authorization: str, query: str, style: sigv4.Style) -> None:
    prefixes = ("", "AWS4-HMAC-SHA256 Credential=a/20200101/r/s/aws4_request, SignedHeaders=host, Signature=", "AWS a:")
    for prefix in prefixes:
        request = HttpRequest("GET", "/", query, {"authorization": prefix + authorization}, BytesStream(b""))
        request.headers["x-amz-date"] = "20200101T000000Z"
        with pytest.raises(AwsError):
            check(request, style)
    anonymous = HttpRequest("GET", "/", "X-Amz-Algorithm=&" + query, {}, BytesStream(b""))
    with pytest.raises(AwsError):
        sigv4.parse(anonymous, style)


def test_a_credential_longer_than_any_is_none() -> None:
    endless = SigV4Auth(Credentials(KEY, SECRET), "sqs", "r" * 2_000)
    assert "Credential" in refused(sign(endless, "POST", "http://localhost/", {}), "json").message


def test_s3_wants_its_headers_signed() -> None:
    request = signed_by_header(S3SigV4Auth, "s3")
    request.headers["x-amz-meta-late"] = "1"
    error = refused(request, "s3")
    assert (error.code, error.status) == ("AccessDenied", 403)
    assert error.fields["HeadersNotSigned"] == "x-amz-meta-late"


def test_nobody_signed() -> None:
    request = HttpRequest("GET", "/", "list-type=2", {"host": "h"}, BytesStream(b""))
    assert sigv4.parse(request, "s3") is None


def test_a_claim_that_was_seen_is_held_to_its_date_and_signature() -> None:
    request = signed_by_header()
    for _ in range(2):
        check(request, "json")
    same = dict(request.headers)
    for changed, code in (
        ({"x-amz-date": "20130525T000000Z"}, "InvalidSignatureException"),
        ({"x-amz-date": "yesterday"}, "IncompleteSignatureException"),
        (
            {"authorization": same["authorization"][:-1] + ("0" if same["authorization"][-1] != "0" else "1")},
            "InvalidSignatureException",
        ),
        (
            {"authorization": same["authorization"].rpartition("Signature=")[0] + "Signature="},
            "IncompleteSignatureException",
        ),
        ({"authorization": same["authorization"].rpartition("Signature=")[0]}, "IncompleteSignatureException"),
    ):
        request.headers = same | changed
        assert refused(request, "json").code == code
    request.headers = same
    check(request, "json")


def test_a_date_header_serves_as_the_time() -> None:
    request = signed_by_header()
    del request.headers["x-amz-date"]
    request.headers["date"] = "Fri, 24 May 2013 00:00:00 GMT"
    request.headers["authorization"] = (
        "AWS4-HMAC-SHA256 Credential=a/20130524/r/s/aws4_request, SignedHeaders=host, Signature=0"
    )
    signed = sigv4.parse(request, "json")
    assert signed is not None
    assert signed.timestamp == "20130524T000000Z"


# --- version 2


@given(METHODS, PATHS, st.dictionaries(NAMES, VALUES, max_size=3), st.booleans())
def test_version_2_of_botocore_verifies(method: str, path: str, meta: dict[str, str], token: bool) -> None:
    who = Credentials(KEY, SECRET, TOKEN if token else None)
    headers = {"content-type": "text/plain", **{f"x-amz-meta-{name}": value for name, value in meta.items()}}
    request = sign(HmacV1Auth(who), method, f"http://localhost:4566{path}?uploads&other=1", headers, b"x")
    assert check(request, "s3").version == 2
    request.path += "x"
    assert refused(request, "s3").code == "SignatureDoesNotMatch"


@given(METHODS, PATHS, st.booleans())
def test_version_2_presigned_urls_of_botocore_verify(method: str, path: str, token: bool) -> None:
    who = Credentials(KEY, SECRET, TOKEN if token else None)
    address = f"http://localhost:4566{path}?response-content-type=text%2Fplain&versionId=3"
    request = sign(HmacV1QueryAuth(who, expires=60), method, address, {})
    signed = sigv4.parse(request, "s3")
    assert signed is not None
    sigv4.verify(request, signed, SECRET, signed.expires - 1.0, "s3")
    with pytest.raises(AwsError, match="Request has expired"):
        sigv4.verify(request, signed, SECRET, signed.expires + 1.0, "s3")
    request.query = request.query.replace("versionId=3", "versionId=4")
    with pytest.raises(AwsError, match="does not match"):
        sigv4.verify(request, signed, SECRET, signed.expires - 1.0, "s3")


def test_an_incomplete_version_2_url() -> None:
    request = HttpRequest("GET", "/b/k", "AWSAccessKeyId=a&Signature=b", {"host": "h"}, BytesStream(b""))
    error = refused(request, "s3")
    assert (error.code, error.status) == ("AccessDenied", 403)
    assert "requires the Signature, Expires and AWSAccessKeyId parameters" in error.message
