"""Byte ranges: https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html (Range), RFC 9110 14.2."""

import re

from cumulet.services.s3.errors import error, invalid_argument, invalid_request

_RANGE = re.compile(r"bytes=([0-9]{0,100})-([0-9]{0,100})", re.IGNORECASE)
_COPY_RANGE = re.compile(r"bytes=([0-9]{1,100})-([0-9]{1,100})")


def byte_range(header: str, size: int) -> tuple[int, int] | None:
    """Start and end (exclusive) of the range asked for; None when the header is to be ignored; raises InvalidRange."""
    found = _RANGE.fullmatch(header.strip())
    if found is None or found.group(1) == found.group(2) == "":
        return None
    first, last = found.groups()
    if first == "":
        length = int(last)
        start, end = max(0, size - length), size
        if length == 0 or size == 0:
            raise _unsatisfiable(header, size)
        return start, end
    start = int(first)
    if last and int(last) < start:
        return None
    if start >= size:
        raise _unsatisfiable(header, size)
    return start, min(size, int(last) + 1) if last else size


def _unsatisfiable(header: str, size: int) -> Exception:
    return error(
        416,
        "InvalidRange",
        "The requested range is not satisfiable",
        ActualObjectSize=str(size),
        RangeRequested=header,
    )


def copy_range(header: str, size: int) -> tuple[int, int]:
    """Start and end (exclusive) of x-amz-copy-source-range, which must lie within the source."""
    found = _COPY_RANGE.fullmatch(header)
    if found is None or int(found.group(2)) < int(found.group(1)):
        raise invalid_argument(
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the "
            "zero-based offsets of the first and last bytes to copy",
            "x-amz-copy-source-range",
            header,
        )
    start, end = int(found.group(1)), int(found.group(2)) + 1
    if start >= size:
        raise invalid_request("The specified copy range is invalid for the source object size")
    if end > size:
        raise invalid_argument(
            f"Range specified is not valid for source object of size: {size}", "x-amz-copy-source-range", header
        )
    return start, end
