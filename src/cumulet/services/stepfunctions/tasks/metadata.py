"""What optimised integrations tell of the HTTP answer they had: SdkHttpMetadata and SdkResponseMetadata."""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import formatdate
from typing import Any

_JSON = "application/x-amz-json-1.0"


def metadata(request_id: str, now: float, length: int, kind: str = _JSON) -> dict[str, Any]:
    """Of a service's usual answer: `length` bytes of body, of content type `kind`; `now` in seconds since 1970."""
    headers = {
        "connection": "keep-alive",
        "Content-Length": str(length),
        "Content-Type": kind,
        "Date": _date(now),
        "x-amzn-RequestId": request_id,
    }
    return of(headers, request_id)


def dynamodb_metadata(request_id: str, now: float, length: int, checksum: int) -> dict[str, Any]:
    """Of DynamoDB's answer, which has a CRC-32 of its body."""
    headers = {
        "Server": "Server",
        "Connection": "keep-alive",
        "x-amzn-RequestId": request_id,
        "x-amz-crc32": str(checksum),
        "Content-Length": str(length),
        "Date": _date(now),
        "Content-Type": _JSON,
    }
    return of(headers, request_id)


def function_metadata(
    request_id: str, now: float, length: int, version: str | None, trace: str | None, log: str | None
) -> dict[str, Any]:
    """Of Lambda's answer."""
    headers = {"X-Amz-Log-Result": log} if log else {}
    if version:
        headers["X-Amz-Executed-Version"] = version
    headers["x-amzn-Remapped-Content-Length"] = "0"
    headers["Connection"] = "keep-alive"
    headers["x-amzn-RequestId"] = request_id
    headers["Content-Length"] = str(length)
    headers["Date"] = _date(now)
    if trace:
        headers["X-Amzn-Trace-Id"] = trace
    headers["Content-Type"] = "application/json"
    return of(headers, request_id)


def of(headers: Mapping[str, str], request_id: str, status: int = 200) -> dict[str, Any]:
    """Both members, for these headers."""
    return {
        "SdkHttpMetadata": {
            "AllHttpHeaders": {name: [value] for name, value in headers.items()},
            "HttpHeaders": dict(sorted(headers.items(), key=lambda header: header[0].lower())),
            "HttpStatusCode": status,
        },
        "SdkResponseMetadata": {"RequestId": request_id},
    }


def _date(now: float) -> str:
    return formatdate(now, usegmt=True)
