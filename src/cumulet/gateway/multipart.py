"""multipart/form-data, read as it comes: the fields before the file whole, the file itself as a stream (RFC 7578)."""

import re
from collections.abc import AsyncIterator

from cumulet.kernel.errors import AwsError
from cumulet.kernel.streams import Stream

_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_MOST_FIELD_BYTES = 20_480
_MOST_HEADER_BYTES = 8_192


def malformed() -> AwsError:
    """The body is not the form that its content type promises."""
    return AwsError(
        "The body of your POST request is not well-formed multipart/form-data.",
        code="MalformedPOSTRequest",
        status=400,
    )


class Form:
    """A form. Call `read_fields`, then read `file`; what comes after the file is ignored, as S3 does.

    `fields` holds values by lower-case name; `file_name` and `file_type` describe the file.
    """

    def __init__(self, body: Stream, boundary: str) -> None:
        self._pieces = aiter(body)
        self._mark = b"\r\n--" + boundary.encode("latin-1")
        self._held = b"\r\n"  # so that the first boundary looks like the others
        self.fields: dict[str, str] = {}
        self.file_name = ""
        self.file_type = ""
        self.has_file = False

    async def _more(self) -> bool:
        async for piece in self._pieces:
            self._held += piece
            return True
        return False

    async def _until(self, mark: bytes, most: int) -> bytes:
        """The bytes before `mark`, which is taken too. Raises for more than `most`, or an end without it."""
        while (at := self._held.find(mark)) < 0:
            if len(self._held) > most + len(mark) or not await self._more():
                raise malformed()
        if at > most:
            raise _too_much()
        found, self._held = self._held[:at], self._held[at + len(mark) :]
        return found

    async def read_fields(self) -> None:
        """Read up to the beginning of the file, or the end when there is none."""
        await self._until(self._mark, _MOST_HEADER_BYTES)
        left = _MOST_FIELD_BYTES
        while not await self._at_end():
            head = await self._until(b"\r\n\r\n", _MOST_HEADER_BYTES)
            name, file_name, kind = _disposition(head)
            if name.lower() == "file":
                self.file_name, self.file_type, self.has_file = file_name, kind, True
                return
            value = await self._until(self._mark, left)
            left -= len(value)
            self.fields[name.lower()] = value.decode("utf-8", "replace")

    async def _at_end(self) -> bool:
        while len(self._held) < 2:
            if not await self._more():
                raise malformed()
        return self._held.startswith(b"--")

    async def file(self) -> AsyncIterator[bytes]:
        """The file's bytes."""
        keep = len(self._mark) - 1
        while (at := self._held.find(self._mark)) < 0:
            if len(self._held) > keep:
                piece, self._held = self._held[:-keep], self._held[-keep:]
                yield piece
            if not await self._more():
                raise malformed()
        if at:
            yield self._held[:at]
        self._held = b""


def _too_much() -> AwsError:
    return AwsError(
        "Your POST request fields preceding the upload file were too large.",
        code="MaxPostPreDataLengthExceeded",
        status=400,
        fields={"MaxPostPreDataLengthBytes": str(_MOST_FIELD_BYTES)},
    )


def _disposition(head: bytes) -> tuple[str, str, str]:
    """A part's name, file name and content type."""
    name = file_name = kind = ""
    for line in head.decode("utf-8", "replace").split("\r\n"):
        header, _, value = line.partition(":")
        if header.strip().lower() == "content-type":
            kind = value.strip()
        elif header.strip().lower() == "content-disposition":
            name, file_name = _quoted(value, "name"), _quoted(value, "filename")
    if not _NAME.fullmatch(name):
        raise malformed()
    return name, file_name, kind


def _quoted(value: str, key: str) -> str:
    for part in value.split(";")[1:]:
        found, _, text = part.strip().partition("=")
        if found.lower() == key:
            return text.strip().strip('"')
    return ""
