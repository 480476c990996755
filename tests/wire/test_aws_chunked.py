"""aws-chunked bodies, framed by hand, cut anywhere."""

import asyncio
import hashlib
import hmac
import itertools
from collections.abc import AsyncIterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cumulet.kernel import checksums
from cumulet.kernel.errors import AwsError
from cumulet.kernel.streams import BytesStream, Stream, read_all
from cumulet.wire import payload
from cumulet.wire.http import HttpRequest
from cumulet.wire.signed import Signed, signing_key

SECRET = "secret"
SIGNED = Signed(
    access_key="AKID",
    date="20130524",
    region="us-east-1",
    service="s3",
    signed_headers=("host",),
    signature="4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
    timestamp="20130524T000000Z",
)
BIG = bytes(range(256)) * 40  # above the least size of a chunk that is not the last
STEADY = settings(derandomize=True, max_examples=120, deadline=None)


class Pieces:
    """A stream that gives its bytes in the pieces it is told."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = pieces
        self.taken = 0

    @property
    def length(self) -> int | None:
        return None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            self.taken += 1
            yield piece


def cut(data: bytes, at: list[int]) -> Pieces:
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in at)})
    return Pieces([data[start:end] for start, end in itertools.pairwise(edges)])


def frame(chunks: list[bytes], *, signed: bool, trailer: dict[str, str] | None = None, secret: str = SECRET) -> bytes:
    key = signing_key(secret, "20130524", "us-east-1", "s3")
    scope = "20130524T000000Z\n20130524/us-east-1/s3/aws4_request"
    previous = SIGNED.signature
    out = b""
    for chunk in [*chunks, b""]:
        if signed:
            digest = hashlib.sha256(chunk).hexdigest()
            empty = hashlib.sha256(b"").hexdigest()
            text = f"AWS4-HMAC-SHA256-PAYLOAD\n{scope}\n{previous}\n{empty}\n{digest}"
            previous = hmac.digest(key, text.encode(), "sha256").hex()
            out += b"%x;chunk-signature=%s\r\n" % (len(chunk), previous.encode())
        else:
            out += b"%x\r\n" % len(chunk)
        out += chunk + b"\r\n" if chunk else b""
    lines = "".join(f"{name}:{value}\n" for name, value in sorted((trailer or {}).items()))
    out += lines.replace("\n", "\r\n").encode()
    if signed and trailer is not None:
        text = f"AWS4-HMAC-SHA256-TRAILER\n{scope}\n{previous}\n{hashlib.sha256(lines.encode()).hexdigest()}"
        out += f"x-amz-trailer-signature:{hmac.digest(key, text.encode(), 'sha256').hex()}\r\n".encode()
    return out + b"\r\n"


def decode(
    body: Stream, length: int, *, signed: bool, trailer: str | None = None, secret: str | None = SECRET
) -> Stream:
    kind = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" if signed else "STREAMING-UNSIGNED-PAYLOAD"
    headers = {"x-amz-decoded-content-length": str(length), "content-encoding": "aws-chunked"}
    headers["x-amz-content-sha256"] = kind + ("-TRAILER" if trailer is not None or not signed else "")
    if trailer is not None:
        headers["x-amz-trailer"] = trailer
    return payload.checked(HttpRequest("PUT", "/b/k", "", headers, body), SIGNED, secret)


def read(stream: Stream) -> bytes:
    return asyncio.run(read_all(stream))


def refused(stream: Stream) -> AwsError:
    with pytest.raises(AwsError) as caught:
        read(stream)
    return caught.value


CHUNKS = st.lists(st.binary(min_size=1, max_size=40), max_size=1).flatmap(
    lambda last: st.integers(0, 2).map(lambda count: [BIG] * count + last)
)
CUTS = st.lists(st.integers(0, 100_000), max_size=12)


@STEADY
@given(CHUNKS, CUTS, st.booleans(), st.sampled_from([None, "CRC32", "CRC32C", "CRC64NVME", "SHA256"]))
def test_every_cut_decodes_the_same(chunks: list[bytes], at: list[int], signed: bool, algorithm: str | None) -> None:
    data = b"".join(chunks)
    trailer = None if algorithm is None else {checksums.header(algorithm): checksums.of(algorithm, data)}
    body = frame(chunks, signed=signed, trailer=trailer)
    names = None if trailer is None else ",".join(trailer)
    stream = decode(cut(body, at), len(data), signed=signed, trailer=names)
    assert stream.length == len(data)
    assert read(stream) == data
    assert getattr(stream, "trailers", None) == (trailer or {})


def test_a_short_body_cut_at_every_byte() -> None:
    trailer = {"x-amz-checksum-crc32": checksums.of("CRC32", b"hello")}
    body = frame([b"hello"], signed=True, trailer=trailer)
    for place in range(len(body)):
        stream = decode(cut(body, [place]), 5, signed=True, trailer="x-amz-checksum-crc32")
        assert read(stream) == b"hello"
    assert read(decode(cut(body, list(range(len(body)))), 5, signed=True, trailer="x-amz-checksum-crc32")) == b"hello"


def test_a_body_truncated_anywhere_is_refused() -> None:
    trailer = {"x-amz-checksum-crc32": checksums.of("CRC32", b"hello")}
    body = frame([b"hello"], signed=True, trailer=trailer)
    for end in range(len(body) - 4):  # only the line breaks at its end are of no matter
        stream = decode(BytesStream(body[:end]), 5, signed=True, trailer="x-amz-checksum-crc32")
        assert refused(stream).code in {"IncompleteBody", "MalformedTrailerError", "SignatureDoesNotMatch"}


def test_every_byte_of_a_signed_body_counts() -> None:
    trailer = {"x-amz-checksum-crc32": checksums.of("CRC32", b"hello")}
    body = frame([b"hello"], signed=True, trailer=trailer)
    for place in range(len(body) - 2):
        changed = bytearray(body)
        changed[place] ^= 1
        error = refused(decode(BytesStream(bytes(changed)), 5, signed=True, trailer="x-amz-checksum-crc32"))
        assert error.status in {400, 403}


@STEADY
@given(st.binary(max_size=200), CUTS, st.booleans())
def test_garbage_is_refused(body: bytes, at: list[int], signed: bool) -> None:
    assert refused(decode(cut(body, at), 7, signed=signed)).status in {400, 403}


def test_the_wrong_secret() -> None:
    error = refused(decode(BytesStream(frame([b"x"], signed=True, secret="other")), 1, signed=True))
    assert (error.code, error.status) == ("SignatureDoesNotMatch", 403)
    assert error.fields["StringToSign"].startswith("AWS4-HMAC-SHA256-PAYLOAD\n")
    assert read(decode(BytesStream(frame([b"x"], signed=True, secret="other")), 1, signed=True, secret=None)) == b"x"


def test_aws_documented_chunk_signatures() -> None:
    """The example of AWS's page on chunked uploads: 64 KB and 1 KB of "a"."""
    secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
    body = (
        b"10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n%b\r\n"
        b"400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n%b\r\n"
        b"0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n"
    ) % (b"a" * 65536, b"a" * 1024)
    assert read(decode(BytesStream(body), 66560, signed=True, secret=secret)) == b"a" * 66560


@pytest.mark.parametrize("length", [0, 4, 6])
def test_another_length_than_announced(length: int) -> None:
    assert refused(decode(BytesStream(frame([b"hello"], signed=False)), length, signed=False)).code == "IncompleteBody"


def test_small_chunks_before_the_last() -> None:
    error = refused(decode(BytesStream(frame([b"a", b"b"], signed=False)), 2, signed=False))
    assert (error.code, error.fields["BadChunkSize"]) == ("InvalidChunkSizeError", "1")


@pytest.mark.parametrize(
    ("sent", "announced", "code"),
    [
        ({"x-amz-checksum-crc32": "AAAAAA=="}, "x-amz-checksum-crc32", "BadDigest"),
        ({"x-amz-checksum-crc32": "AAAA"}, "x-amz-checksum-crc32", "InvalidRequest"),
        ({"x-amz-checksum-crc32": "!"}, "x-amz-checksum-crc32", "InvalidRequest"),
        ({}, "x-amz-checksum-crc32", "MalformedTrailerError"),
        ({"x-amz-checksum-sha1": "x"}, "x-amz-checksum-crc32", "MalformedTrailerError"),
        ({"x-other": "x"}, "", "MalformedTrailerError"),
        ({"x-big": "x" * 20_000}, "x-big", "MalformedTrailerError"),
    ],
)
def test_bad_trailers(sent: dict[str, str], announced: str, code: str) -> None:
    body = frame([b"hello"], signed=False, trailer=sent)
    assert refused(decode(BytesStream(body), 5, signed=False, trailer=announced)).code == code


def test_an_endless_line_is_not_collected() -> None:
    source = Pieces([b"1" * 500] * 1000)
    assert refused(decode(source, 5, signed=False)).code == "IncompleteBody"
    assert source.taken < 5


def test_a_hashed_body() -> None:
    def hashed(body: bytes) -> Stream:
        headers = {"x-amz-content-sha256": hashlib.sha256(b"hello").hexdigest()}
        return payload.checked(HttpRequest("PUT", "/", "", headers, BytesStream(body)), SIGNED, SECRET)

    assert read(hashed(b"hello")) == b"hello"
    error = refused(hashed(b"hellO"))
    assert (error.code, error.status) == ("XAmzContentSHA256Mismatch", 400)


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "InvalidRequest"),
        ({"x-amz-content-sha256": "no"}, "InvalidArgument"),
        ({"x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER"}, "MissingContentLength"),
        (
            {"x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "x-amz-decoded-content-length": "-1"},
            "MissingContentLength",
        ),
    ],
)
def test_headers_that_do_not_fit(headers: dict[str, str], code: str) -> None:
    with pytest.raises(AwsError) as caught:
        payload.checked(HttpRequest("PUT", "/", "", headers, BytesStream(b"")), SIGNED, SECRET)
    assert caught.value.code == code


def test_content_that_was_read_whole() -> None:
    headers = {"x-amz-content-sha256": hashlib.sha256(b"<x/>").hexdigest()}
    request = HttpRequest("POST", "/", "", headers, BytesStream(b"<x/>"), content=b"<x/>")
    assert payload.check_content(request, SIGNED, SECRET) is None  # nothing has to be waited for
    assert request.content == b"<x/>"
    request.body = BytesStream(b"<y/>")
    with pytest.raises(AwsError, match="does not match what was computed"):
        payload.check_content(request, SIGNED, SECRET)
    framed = frame([b"<x/>"], signed=True)
    headers = {"x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "x-amz-decoded-content-length": "4"}
    request = HttpRequest("POST", "/", "", headers, BytesStream(framed), content=framed)
    assert payload.check_content(request, SIGNED, SECRET) is None
    assert request.content == b"<x/>"
