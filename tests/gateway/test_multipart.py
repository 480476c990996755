import asyncio
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cumulet.gateway.multipart import Form
from cumulet.kernel.errors import AwsError


class Pieces:
    """A body that comes in the given pieces."""

    length = None

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece


def read(pieces: list[bytes]) -> tuple[dict[str, str], str, bytes]:
    async def run() -> tuple[dict[str, str], str, bytes]:
        form = Form(Pieces(pieces), "sep")
        await form.read_fields()
        return form.fields, form.file_name, b"".join([piece async for piece in form.file()])

    return asyncio.run(run())


def body(file: bytes) -> bytes:
    return (
        b'--sep\r\nContent-Disposition: form-data; name="Key"\r\n\r\na ${filename}\r\n'
        b'--sep\r\nContent-Disposition: form-data; name="file"; filename="x.txt"\r\nContent-Type: a/b\r\n\r\n'
        + file
        + b'\r\n--sep\r\nContent-Disposition: form-data; name="submit"\r\n\r\nGo\r\n--sep--\r\n'
    )


@given(st.binary(max_size=200).filter(lambda file: b"\r\n--sep" not in file + b"\r\n--se"), st.integers(1, 40))
def test_it_reads_the_same_however_it_comes(file: bytes, size: int) -> None:
    whole = body(file)
    pieces = [whole[i : i + size] for i in range(0, len(whole), size)]
    assert read(pieces) == ({"key": "a ${filename}"}, "x.txt", file)


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"no boundary at all",
        body(b"x")[:150],
        body(b"x")[:-70],
        b"--sep\r\n\r\n\r\nno name\r\n--sep--",
        b'--sep\r\nContent-Disposition: form-data; name="a\nb"\r\n\r\nv\r\n--sep--',
    ],
)
def test_what_is_no_form_is_refused(bad: bytes) -> None:
    with pytest.raises(AwsError) as caught:
        read([bad])
    assert caught.value.code == "MalformedPOSTRequest"


def test_fields_are_bounded() -> None:
    field = b'--sep\r\nContent-Disposition: form-data; name="a"\r\n\r\n' + b"x" * 30_000 + b"\r\n"
    with pytest.raises(AwsError) as caught:
        read([field + body(b"x")])
    assert caught.value.code == "MaxPostPreDataLengthExceeded"
